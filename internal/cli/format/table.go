package format

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// firstRows is the most rows that a table holds back to settle the widths of its columns.
const firstRows = 1000

// Table writes rows in columns as they come. The first rows, up to a Flush, settle the widths
// of the columns; a later cell that is wider stands out and is not cut.
type Table struct {
	out    *bufio.Writer
	width  int
	held   [][]string
	widths []int
}

// NewTable returns a table with these titles. Lines are cut to width cells of a terminal; 0
// means never, as for a pipe.
func NewTable(w io.Writer, width int, titles ...string) *Table {
	return &Table{out: bufio.NewWriter(w), width: width, held: [][]string{titles}}
}

// Add adds a row, whose texts are made printable.
func (t *Table) Add(cells ...string) error {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	if t.widths == nil {
		t.held = append(t.held, cells)
		if len(t.held) <= firstRows {
			return nil
		}
		return t.Flush()
	}
	return t.row(cells)
}

// Line adds a line that is no row.
func (t *Table) Line(text string) error {
	if err := t.Flush(); err != nil {
		return err
	}
	if _, err := t.out.WriteString(Cut(printable(text), t.width) + "\n"); err != nil {
		return err
	}
	return t.out.Flush()
}

// Flush writes what is held back.
func (t *Table) Flush() error {
	if t.widths == nil {
		t.widths = make([]int, len(t.held[0]))
		for _, row := range t.held {
			for i, cell := range row {
				t.widths[i] = max(t.widths[i], cellsOf(cell))
			}
		}
		for _, row := range t.held {
			if err := t.row(row); err != nil {
				return err
			}
		}
		t.held = nil
	}
	return t.out.Flush()
}

func (t *Table) row(cells []string) error {
	var b strings.Builder
	for i, cell := range cells {
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-cellsOf(cell))+2))
		}
	}
	_, err := t.out.WriteString(Cut(strings.TrimRight(b.String(), " "), t.width) + "\n")
	return err
}

// Cut cuts a text to so many cells of a terminal, and ends it with an ellipsis. 0 means never.
func Cut(text string, most int) string {
	if most <= 0 || cellsOf(text) <= most {
		return text
	}
	used := 0
	for i, r := range text {
		if used+cellOf(r) > most-1 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
		used += cellOf(r)
	}
	return text
}

// cellsOf counts the cells that a text takes in a terminal.
func cellsOf(text string) (n int) {
	for _, r := range text {
		n += cellOf(r)
	}
	return n
}

func cellOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
