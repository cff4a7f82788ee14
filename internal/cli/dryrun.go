package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"buf.build/go/protovalidate"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// DryRun prints what ImportSites would ask for, and refuses what can be seen from here to be
// no site. It needs no connection; whether a site is there already it cannot say.
func (c Client) DryRun(ctx context.Context, i SiteImport) error {
	out := c.newSites()
	t := tally{c: c, i: i}
	for ctx.Err() == nil {
		site, err := i.Source.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad, ok := errors.AsType[*sitefile.RowError](err); ok {
			t.refuse(bad.Error())
			continue
		}
		if err != nil && ctx.Err() != nil {
			break
		}
		if err != nil {
			return errorOr(endAfter(out, t.rows-t.refused), fmt.Errorf("the file cannot be read: %w", err))
		}
		if site.GetBlogId() == 0 {
			site.BlogId = i.Blog
		}
		if err := protovalidate.Validate(site); err != nil {
			t.refuse(fmt.Sprintf("%s %d: %s", i.Noun, i.Source.Line(), violations(err)))
			continue
		}
		t.rows++
		if err := out.add(site); err != nil {
			return err
		}
	}
	if err := out.end(""); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return Interrupt("interrupted after %s %d; nothing was sent", i.Noun, i.Source.Line())
	}
	fmt.Fprintf(c.Err, "%s would be added, unless there already; %d refused. Nothing was sent.\n", format.Count(t.rows-t.refused, "site"), t.refused)
	if t.refused > 0 {
		return errorOr(t.unwritten, fmt.Errorf("%d of %d rows are refused", t.refused, t.rows))
	}
	return nil
}

// newSites returns a printer of sites that are not there yet. As NDJSON it writes a file of
// sites, so that a dry run converts the files of others.
func (c Client) newSites() printer[*monitorv1.Site] {
	if c.Output == NDJSON {
		return filePrinter{sitefile.NewWriter(c.Out, sitefile.NDJSON)}
	}
	return newPrinter(c, listing[*monitorv1.Site]{
		name: "sites", titles: []string{"URL", "BLOG", "INTERVAL", "PAUSED", "TAGS", "SETTINGS"}, cells: format.NewSiteCells,
	})
}

type filePrinter struct{ file *sitefile.Writer }

func (p filePrinter) add(s *monitorv1.Site) error { return p.file.Write(s) }
func (p filePrinter) flush() error                { return p.file.Flush() }
func (p filePrinter) end(string) error            { return p.file.Flush() }

// violations writes what a site must be in a line.
func violations(err error) string {
	invalid, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return err.Error()
	}
	var all []string
	for _, v := range invalid.Violations {
		all = append(all, fmt.Sprintf("%s: %s", protovalidate.FieldPathString(v.Proto.GetField()), v.Proto.GetMessage()))
	}
	return strings.Join(all, "; ")
}
