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
	out := newPrinter(c, listing[*monitorv1.Site]{
		name: "sites", titles: []string{"URL", "BLOG", "INTERVAL", "PAUSED", "TAGS", "SETTINGS"}, cells: format.NewSiteCells,
	})
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
		if err != nil {
			return errorOr(out.end(""), fmt.Errorf("the file cannot be read: %w", err))
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
	fmt.Fprintf(c.Err, "%d sites would be added, unless they are there; %d rows are refused. Nothing was sent.\n", t.rows-t.refused, t.refused)
	if t.refused > 0 {
		return fmt.Errorf("%d of %d rows are refused", t.refused, t.rows)
	}
	return nil
}

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
