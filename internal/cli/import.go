package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// Source yields the sites of a file; io.EOF ends it. A *sitefile.RowError is about one row.
type Source interface {
	Next() (*monitorv1.Site, error)
	// Line returns the line of what Next has returned last.
	Line() int64
}

// SiteImport is a file of sites to add.
type SiteImport struct {
	Source Source
	// Noun is what Source counts, as line; see OpenSource.
	Noun string
	// Blog is the blog of sites of which the file says none.
	Blog int64
	// Refused takes a line for each row that was refused; nil shows the first on Err.
	Refused io.Writer
	// Percent tells how much of the file was read; nil where that is not known.
	Percent func() int
	// Meter shows how far it is; nil shows nothing.
	Meter *Meter
}

// ImportSites adds the sites of a file. A row that is refused stops no other. When ctx ends
// it sends no more, and waits for the answers to what it has sent.
//
// It has two goroutines: one reads the file, until it ends or nobody wants more of it; one
// sends, until there is no more, ctx ends or the stream does.
func (c Client) ImportSites(ctx context.Context, i SiteImport) error {
	defer i.Meter.End()
	// The stream outlives ctx, so that no answer is lost.
	running, idle := watchIdle(context.WithoutCancel(ctx))
	defer idle.close()
	stream, err := monitorv1.NewSiteServiceClient(c.Conn).ImportSites(running)
	if err != nil {
		return c.explain(err)
	}
	read, sent, enough := make(chan readRow), make(chan sentRow, maxOpenRows), make(chan struct{})
	defer close(enough)
	go i.read(read, enough)
	go func() {
		defer close(sent)
		send(ctx, stream, read, sent)
	}()
	t := tally{c: c, i: i}
	if err = t.follow(stream, sent, idle); err != nil {
		err = idle.cause(err)
		idle.close() // ends Send, and so the sender
		for range sent {
		}
	}
	return t.end(err)
}

// maxOpenRows is how many rows may be without an answer: two groups of the coordinator, so that one
// is on its way while the other is written. An import that is interrupted waits for all of them.
const maxOpenRows = 1024

// readRow is a row of the file; err is io.EOF after the last.
type readRow struct {
	site *monitorv1.Site
	line int64
	err  error
}

// read reads the file until it ends or there was enough of it.
func (i SiteImport) read(rows chan<- readRow, enough <-chan struct{}) {
	for {
		site, err := i.Source.Next()
		row := readRow{site, i.Source.Line(), err}
		bad, one := errors.AsType[*sitefile.RowError](err)
		switch {
		case one:
			row.line = bad.Line
		case err == nil && site.GetBlogId() == 0:
			site.BlogId = i.Blog
		}
		select {
		case rows <- row:
		case <-enough:
			return
		}
		if err != nil && !one {
			return
		}
	}
}

// sentRow is a row that was sent, or one that could not be.
type sentRow struct {
	line int64
	// refused is why the row was not sent, and last why there is none after it.
	refused, last error
}

// errStopped is why an import that was interrupted sends no more.
var errStopped = errors.New("interrupted")

// send sends rows until there are no more, ctx ends or the stream has ended.
func send(ctx context.Context, stream monitorv1.SiteService_ImportSitesClient, rows <-chan readRow, sent chan<- sentRow) {
	for {
		var row readRow
		select {
		case <-ctx.Done():
			row.err = errStopped
		case <-stream.Context().Done():
			return // Recv has the reason
		case row = <-rows:
		}
		if ctx.Err() != nil {
			row.err = errStopped
		}
		switch _, one := errors.AsType[*sitefile.RowError](row.err); {
		case one:
			sent <- sentRow{line: row.line, refused: row.err}
			continue
		case row.err != nil:
			if !errors.Is(row.err, io.EOF) {
				sent <- sentRow{last: row.err}
			}
			_ = stream.CloseSend() // its error is that of Recv
			return
		}
		// The row is on record first, so that an answer finds it.
		sent <- sentRow{line: row.line}
		if stream.Send(&monitorv1.ImportSitesRequest{Site: row.site}) != nil {
			return // Recv has the reason
		}
	}
}

// tally counts the answers to the rows of an import.
type tally struct {
	c                                   Client
	i                                   SiteImport
	rows, created, unchanged, different int
	refused                             int
	lastLine                            int64
	stopped                             error
	// unwritten is why a refusal is not in the file of them.
	unwritten error
}

// follow takes the answer to each row, in the order of the rows.
func (t *tally) follow(stream monitorv1.SiteService_ImportSitesClient, sent <-chan sentRow, idle *idleWatch) error {
	for row := range sent {
		switch {
		case row.last != nil:
			t.stopped = row.last
			continue
		case row.refused != nil:
			t.refuse(row.refused.Error())
		default:
			idle.begin()
			resp, err := stream.Recv()
			idle.end()
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the coordinator has ended the import without an answer to %s %d", t.i.Noun, row.line)
			}
			if err != nil {
				return err
			}
			t.count(row.line, resp)
		}
		t.lastLine = row.line
		t.show()
	}
	idle.begin()
	defer idle.end()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (t *tally) count(line int64, resp *monitorv1.ImportSitesResponse) {
	t.rows++
	switch resp.GetResult() {
	case monitorv1.ImportResult_IMPORT_RESULT_CREATED:
		t.created++
	case monitorv1.ImportResult_IMPORT_RESULT_UNCHANGED:
		t.unchanged++
	case monitorv1.ImportResult_IMPORT_RESULT_DIFFERENT:
		t.different++
	default:
		t.rows--
		t.refuse(fmt.Sprintf("%s %d: %s", t.i.Noun, line, status.FromProto(resp.GetError()).Message()))
	}
}

// refuse tells of a row that was refused.
func (t *tally) refuse(reason string) {
	t.rows++
	t.refused++
	switch {
	case t.i.Refused != nil:
		if _, err := fmt.Fprintln(t.i.Refused, format.Printable(reason)); err != nil && t.unwritten == nil {
			t.unwritten = fmt.Errorf("not all refusals could be written: %w", err)
		}
	case t.refused <= maxRefusals:
		t.i.Meter.Clear()
		fmt.Fprintln(t.c.Err, format.Printable(reason))
	case t.refused == maxRefusals+1:
		t.i.Meter.Clear()
		fmt.Fprintln(t.c.Err, "More rows are refused; --errors FILE takes them all.")
	}
}

func (t *tally) show() {
	done := format.Count(t.rows, "row")
	if t.i.Percent != nil {
		done = fmt.Sprintf("%3d %%, %s", t.i.Percent(), done)
	}
	if t.refused > 0 {
		done += fmt.Sprintf(", %d refused", t.refused)
	}
	t.i.Meter.Show(done, t.rows)
}

// end prints the summary and returns how the import has ended.
func (t *tally) end(err error) error {
	t.i.Meter.Clear()
	if printed := t.summary(); printed != nil {
		return printed
	}
	const again = "; the same command goes on where this one has stopped"
	switch {
	case err != nil:
		return fmt.Errorf("the import has ended after %s %d: %w%s", t.i.Noun, t.lastLine, t.c.explain(err), again)
	case errors.Is(t.stopped, errStopped):
		return Interrupt("interrupted after %s %d%s", t.i.Noun, t.lastLine, again)
	case t.stopped != nil:
		return fmt.Errorf("the file cannot be read: %w", t.stopped)
	case t.unwritten != nil:
		return t.unwritten
	case t.refused > 0:
		return fmt.Errorf("%d of %d rows were refused", t.refused, t.rows)
	}
	return nil
}

func (t *tally) summary() error {
	s := format.ImportSummary{Rows: t.rows, Created: t.created, Unchanged: t.unchanged, Different: t.different, Refused: t.refused}
	return s.Write(t.c.Out, t.c.Output != Text && t.c.Output != "")
}
