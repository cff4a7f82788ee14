package cli

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/cli/format"
)

// pageSize is the number of rows per request, the API's maximum.
const pageSize = 1000

// listing is a list that is printed while it is read, so that its length costs no memory.
type listing[T proto.Message] struct {
	// name is what the API calls the rows, titles and cells are how people see them.
	name   string
	titles []string
	cells  func(T) []string
	// limit is the maximum number of rows; 0 means all.
	limit int
	// page reads a page.
	page func(ctx context.Context, size int32, token string) ([]T, string, error)
}

// printer prints rows.
type printer[T proto.Message] interface {
	add(T) error
	// flush writes what is held back, between two pages.
	flush() error
	// end writes the end of the list; next is not empty when there are more rows.
	end(next string) error
}

// list prints a list. An error after the first page leaves what was printed.
func list[T proto.Message](ctx context.Context, c Client, l listing[T]) error {
	out := newPrinter(c, l)
	next, printed := "", 0
	for {
		size := pageSize
		if l.limit > 0 {
			size = min(size, l.limit-printed)
		}
		rows, token, err := l.page(ctx, int32(size), next)
		if err != nil {
			return c.explain(err)
		}
		for _, row := range rows {
			if err := out.add(row); err != nil {
				return err
			}
		}
		printed += len(rows)
		if next = token; next == "" || l.limit > 0 && printed >= l.limit {
			return out.end(next)
		}
		if err := out.flush(); err != nil {
			return err
		}
	}
}

func newPrinter[T proto.Message](c Client, l listing[T]) printer[T] {
	switch c.Output {
	case JSON:
		return documentPrinter[T]{format.NewDocument(c.Out, l.name)}
	case NDJSON:
		return linePrinter[T]{format.NewLines(c.Out)}
	}
	return tablePrinter[T]{format.NewTable(c.Out, c.Width, l.titles...), l.cells}
}

type documentPrinter[T proto.Message] struct{ document *format.Document }

func (p documentPrinter[T]) add(row T) error       { return p.document.Add(row) }
func (p documentPrinter[T]) flush() error          { return nil }
func (p documentPrinter[T]) end(next string) error { return p.document.Close(next) }

type linePrinter[T proto.Message] struct{ lines format.Lines }

func (p linePrinter[T]) add(row T) error  { return p.lines.Add(row) }
func (p linePrinter[T]) flush() error     { return p.lines.Flush() }
func (p linePrinter[T]) end(string) error { return p.lines.Flush() }

type tablePrinter[T proto.Message] struct {
	table *format.Table
	cells func(T) []string
}

func (p tablePrinter[T]) add(row T) error { return p.table.Add(p.cells(row)...) }
func (p tablePrinter[T]) flush() error    { return p.table.Flush() }

func (p tablePrinter[T]) end(next string) error {
	if next != "" {
		return p.table.Line(format.More)
	}
	return p.table.Flush()
}
