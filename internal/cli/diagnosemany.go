package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// Bounds of diagnosing many sites.
const (
	// MaxParallel is how many sites may be diagnosed at once.
	MaxParallel = 64
	// maxTargets is how many sites a file may have: their addresses are in memory.
	maxTargets = 100_000
	// maxTargetLine is the length of a line of a list, in bytes.
	maxTargetLine = 16 << 10
)

// Crowd is many sites to diagnose.
type Crowd struct {
	// URLs are the sites' addresses; see ReadTargets. Refused counts lines that were none.
	URLs    []string
	Refused int
	// Parallel is how many are diagnosed at once, 1..MaxParallel; never two of one host.
	Parallel int
	// Meter shows how far it is; nil shows nothing.
	Meter *Meter
}

// ReadTargets reads the addresses of sites: one a line, with comments that begin with #, or
// in one of the formats that an import takes. A line that is none is told to remarks.
func ReadTargets(r io.Reader, name string, remarks io.Writer) (c Crowd, err error) {
	in := bufio.NewReaderSize(r, guessBytes)
	head, err := in.Peek(guessBytes)
	if err != nil && len(head) == 0 && !errors.Is(err, io.EOF) {
		return Crowd{}, err
	}
	refused := refusals{c: Client{Err: remarks}}
	next := listed(in)
	if !isList(head) {
		if next, err = imported(in, name, remarks); err != nil {
			return Crowd{}, err
		}
	}
	seen := map[string]bool{}
	for {
		url, line, err := next()
		switch {
		case errors.Is(err, io.EOF):
			if more := c.Refused - maxRefusals; more > 0 {
				fmt.Fprintf(remarks, "and %s more\n", format.Count(more, "line"))
			}
			return c, nil
		case err != nil && line == 0:
			return Crowd{}, err
		case err == nil:
			_, err = check.ParseURL(url)
		}
		switch {
		case err != nil:
			c.Refused++
			refused.add(fmt.Sprintf("line %d", line), err)
		case !seen[url]:
			if len(c.URLs) == maxTargets {
				return Crowd{}, fmt.Errorf("more than %d sites", maxTargets)
			}
			seen[url] = true
			c.URLs = append(c.URLs, url)
		}
	}
}

// isList reports whether a file begins as a list of addresses, not as a table or JSON.
func isList(head []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		lower := bytes.ToLower(line)
		return bytes.HasPrefix(lower, []byte("http")) || !bytes.ContainsAny(line, ",;\t{[\":") && !bytes.Equal(lower, []byte("url")) && !bytes.HasPrefix(line, []byte("PK"))
	}
	return true // nothing is in it
}

// listed reads a list, an address a line.
func listed(r io.Reader) func() (url string, line int64, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTargetLine)
	at := int64(0)
	return func() (string, int64, error) {
		for lines.Scan() {
			at++
			text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
			if text != "" && !strings.HasPrefix(text, "#") {
				return text, at, nil
			}
		}
		if err := lines.Err(); err != nil {
			return "", 0, fmt.Errorf("after line %d: %w", at, err)
		}
		return "", 0, io.EOF
	}
}

// imported reads what an import reads.
func imported(r io.Reader, name string, remarks io.Writer) (func() (url string, line int64, err error), error) {
	source, _, err := OpenSource(r, name, "", remarks)
	if err != nil {
		return nil, err
	}
	return func() (string, int64, error) {
		site, err := source.Next()
		if bad, one := errors.AsType[*sitefile.RowError](err); one {
			return "", bad.Line, bad
		}
		if err != nil {
			return "", 0, err
		}
		return site.GetUrl(), source.Line(), nil
	}, nil
}

// DiagnoseMany diagnoses many sites, and prints one table of their causes, or a diagnosis a
// line as JSON. It returns the worst verdict. When ctx ends, it prints what is known by then.
//
// It starts a goroutine for each site at once and two that serve them; they end with the
// sites, or with ctx.
func DiagnoseMany(ctx context.Context, d *jetpack.Diagnoser, c Crowd, show Report) (jetpack.Verdict, error) {
	defer c.Meter.End()
	running, stop := context.WithCancel(ctx)
	defer stop()
	work, done := make(chan []string), make(chan *jetpack.Report)
	go func() { // ends when all hosts are handed out, or with running
		defer close(work)
		for _, urls := range byHost(c.URLs) {
			select {
			case work <- urls:
			case <-running.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range min(c.Parallel, len(c.URLs)) {
		workers.Go(func() {
			for urls := range work {
				for _, url := range urls {
					r, err := d.Diagnose(running, jetpack.Target{URL: url})
					if err != nil || running.Err() != nil {
						continue // a diagnosis that was cut off says nothing about its site
					}
					done <- r
				}
			}
		})
	}
	go func() { // ends with the workers
		workers.Wait()
		close(done)
	}()
	sum := format.Crowd{Sites: len(c.URLs), Refused: c.Refused}
	var failed error
	for r := range done {
		sum.Add(r)
		c.Meter.Say(fmt.Sprintf("%d of %d sites, %d with failures", sum.Done, sum.Sites, sum.Failing))
		if show.JSON && failed == nil {
			if failed = format.JSONLine(show.Out, jetpackpb.DiagnosisToProto(r)); failed != nil {
				stop() // nobody reads on
			}
		}
	}
	c.Meter.Clear()
	if !show.JSON {
		failed = sum.Write(show.Out, format.Style{Color: show.Color, Width: show.Width})
	}
	if failed == nil && ctx.Err() != nil {
		failed = Interrupt("interrupted after %d of %d sites", sum.Done, sum.Sites)
	}
	return sum.Worst(), failed
}

// byHost groups addresses by their host, in the order of its first one: one host is never
// called for two sites at once.
func byHost(urls []string) (groups [][]string) {
	at := map[string]int{}
	for _, url := range urls {
		host := url
		if u, err := check.ParseURL(url); err == nil {
			host = strings.ToLower(u.Std().Hostname())
		}
		i, ok := at[host]
		if !ok {
			i = len(groups)
			at[host] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], url)
	}
	return groups
}
