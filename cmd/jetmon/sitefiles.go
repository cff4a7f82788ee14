package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// exportSitesCommand is `jetmon sites export`.
type exportSitesCommand struct {
	Format string `noenv:"" enum:"csv,ndjson" default:"ndjson" help:"Format of the file: ndjson, or csv for spreadsheets."`
	Blog   int64  `noenv:"" placeholder:"ID" help:"Only sites of this blog."`
	Host   string `noenv:"" placeholder:"HOST[:PORT]" help:"Only sites whose URL has this host."`
	Tag    string `noenv:"" placeholder:"TAG" help:"Only sites with this tag."`

	serverFlags `embed:""`
}

// Run writes the sites to stdout.
func (c *exportSitesCommand) Run(ctx context.Context, p *program) error {
	if c.Blog < 0 {
		return usagef("--blog must not be negative")
	}
	return c.connect(cli.Client{Out: p.Out, Err: p.Err}, func(client cli.Client) error {
		return client.ExportSites(ctx, cli.SiteExport{
			Filter: &monitorv1.ExportSitesRequest{BlogId: c.Blog, Host: c.Host, Tag: c.Tag},
			Format: sitefile.Format(c.Format), Meter: p.meter(p.Out),
		})
	})
}

// importSitesCommand is `jetmon sites import FILE`.
type importSitesCommand struct {
	File   string `arg:"" help:"File with the sites; - is stdin."`
	Format string `noenv:"" placeholder:"FORMAT" words:"csv,ndjson,uptime-kuma,gatus" help:"Format of the file: csv, ndjson, uptime-kuma (a backup, or its monitors) or gatus (its configuration); guessed from the file by default."`
	DryRun bool   `noenv:"" help:"Print what would be added, and send nothing."`
	Blog   int64  `noenv:"" placeholder:"ID" help:"Blog of the sites of which the file says none."`
	Errors string `noenv:"" placeholder:"FILE" help:"Write a line for each row that is refused into this file; by default the first 20 are shown."`

	clientFlags `embed:""`
}

// Run imports the file.
func (c *importSitesCommand) Run(ctx context.Context, p *program) (err error) {
	switch c.Format {
	case "", string(sitefile.CSV), string(sitefile.NDJSON), cli.Kuma, cli.Gatus:
	default:
		return usagef("--format: must be csv, ndjson, uptime-kuma or gatus, is %q", c.Format)
	}
	if c.Blog < 0 {
		return usagef("--blog must not be negative")
	}
	file, percent, err := c.open(ctx, p)
	if err != nil {
		return err
	}
	defer file.Close()
	i := cli.SiteImport{Blog: c.Blog, Percent: percent}
	if i.Source, i.Noun, err = cli.OpenSource(file, c.File, c.Format, p.Err); err != nil {
		if ctx.Err() != nil {
			return unchanged()
		}
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Errors != "" {
		refused, err := c.createErrors()
		if err != nil {
			return usagef("--errors: %w", err)
		}
		i.Refused = refused
		defer func() { err = errors.Join(err, refused.Close()) }()
	}
	if c.DryRun {
		return c.client(p).DryRun(ctx, i)
	}
	i.Meter = p.meter(io.Discard)
	return c.ask(p, func(client cli.Client) error { return client.ImportSites(ctx, i) })
}

// createErrors creates the file of refused rows, which is not the one that is imported.
func (c *importSitesCommand) createErrors() (*os.File, error) {
	from, err := os.Stat(c.File)
	to, toErr := os.Stat(c.Errors)
	if err == nil && toErr == nil && os.SameFile(from, to) {
		return nil, fmt.Errorf("%s is the file to import, which it would overwrite", c.Errors)
	}
	return os.Create(c.Errors)
}

// open opens the file. percent tells how much of it was read, where its size is known.
func (c *importSitesCommand) open(ctx context.Context, p *program) (file io.ReadCloser, percent func() int, err error) {
	if c.File == stdin {
		return io.NopCloser(p.stdin(ctx)), nil, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, nil, usageError{err}
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = usagef("%s is a folder", c.File)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	if size := info.Size(); info.Mode().IsRegular() && size > 0 {
		counted := &countedFile{File: f}
		return counted, func() int { return int(min(100, 100*counted.read.Load()/size)) }, nil
	}
	return pipe{interruptible(ctx, f), f}, nil, nil
}

// pipe is a file whose content may be waited for.
type pipe struct {
	io.Reader
	io.Closer
}

// countedFile counts what is read of a file.
type countedFile struct {
	*os.File
	read atomic.Int64
}

// Read reads and counts.
func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.read.Add(int64(n))
	return n, err
}
