package sitefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The errors of a row's form.
var (
	errOpen  = errors.New("a cell begins with a quote that nothing ends")
	errAfter = errors.New("something follows the quote that ends a cell: a quote within a quoted cell is written twice")
	errBare  = errors.New("there is a quote within a cell: such a cell is put into quotes, and a quote within it written twice")
)

// records reads rows of CSV, which may go over several lines.
type records struct {
	lines *lines
	comma byte
}

// next returns the cells of the next row and the line in which it begins. An error of the
// row's form is a *RowError without a number; the row is then taken to end with its first
// line, so that a quote that nothing ends spoils one row and not the file. Empty lines are
// passed over.
func (r *records) next() (cells []string, number int64, err error) {
	var read []line
	var found row
	for size := 0; ; {
		l, err := r.lines.next()
		switch {
		case errors.Is(err, io.EOF) && len(read) > 0:
			return nil, read[0].number, r.refuse(read, errOpen)
		case err != nil:
			return nil, 0, err
		case len(read) == 0 && len(trimEnd(l.text)) == 0 && !l.long:
			continue
		}
		read, size = append(read, l), size+len(l.text)
		if l.long || size > MaxRow {
			if len(read) > 1 {
				return nil, read[0].number, r.refuse(read, errOpen)
			}
			return nil, l.number, r.refuse(read, errLong)
		}
		switch err := found.add(l.text, r.comma); {
		case err != nil:
			return nil, read[0].number, r.refuse(read, err)
		case !found.open:
			return found.done, read[0].number, nil
		}
	}
}

// refuse gives up the first of the lines read and has the others read again.
func (r *records) refuse(read []line, err error) error {
	r.lines.repeat(read[1:])
	return &RowError{Line: read[0].number, Err: err}
}

// row is a row of which some lines are read, each of them once.
type row struct {
	done []string
	// open means that the last cell began with a quote that nothing has ended yet; last is what
	// there is of it.
	open bool
	last []byte
}

// add splits the next line into its cells.
func (r *row) add(text []byte, comma byte) error {
	rest := trimEnd(text)
	end := text[len(rest):]
	for {
		if !r.open && (len(rest) == 0 || rest[0] != '"') {
			cell, after, more := bytes.Cut(rest, []byte{comma})
			if bytes.IndexByte(cell, '"') >= 0 {
				return errBare
			}
			r.done = append(r.done, string(cell))
			if !more {
				return nil
			}
			rest = after
			continue
		}
		if !r.open {
			r.open, r.last, rest = true, nil, rest[1:]
		}
		if rest = r.unquote(rest); r.open {
			r.last = append(r.last, end...)
			return nil
		}
		r.done = append(r.done, string(r.last))
		switch {
		case len(rest) == 0:
			return nil
		case rest[0] != comma:
			return errAfter
		}
		rest = rest[1:]
	}
}

// unquote adds the text up to the quote that ends the cell, and returns what follows it.
func (r *row) unquote(text []byte) (rest []byte) {
	for {
		end := bytes.IndexByte(text, '"')
		if end < 0 {
			r.last = append(r.last, text...)
			return nil
		}
		r.last = append(r.last, text[:end]...)
		text = text[end+1:]
		if len(text) == 0 || text[0] != '"' {
			r.open = false
			return text
		}
		r.last = append(r.last, '"')
		text = text[1:]
	}
}

// split splits a row of one line into its cells.
func split(text []byte, comma byte) ([]string, error) {
	var r row
	if err := r.add(text, comma); err != nil {
		return nil, err
	}
	if r.open {
		return nil, errOpen
	}
	return r.done, nil
}

// commaOf returns the character that separates the names of the columns: a comma, or what
// spreadsheets write where a comma separates decimals.
func commaOf(first []byte) byte {
	for _, c := range []byte{',', ';', '\t'} {
		if bytes.IndexByte(first, c) >= 0 {
			return c
		}
	}
	return ','
}

// separator reads the line by which a file tells Excel what separates its cells: sep=; and the
// like.
func separator(line []byte) (comma byte, ok bool) {
	rest, ok := bytes.CutPrefix(bytes.ToLower(bytes.Trim(line, `"`)), []byte("sep="))
	if !ok || len(rest) != 1 || bytes.IndexByte([]byte(",;\t|"), rest[0]) < 0 {
		return 0, false
	}
	return rest[0], true
}

// A spreadsheet takes a cell that begins with one of these for a formula, which it would run.
const formula = "=+-@\t\r"

// guard puts an apostrophe before a cell that would be a formula, and before one that would
// read as a guarded one.
func guard(cell string) string {
	if rest := trimApostrophes(cell); rest != "" && bytes.IndexByte([]byte(formula), rest[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// unguard removes what guard has put there.
func unguard(cell string) string {
	if cell == "" || cell[0] != '\'' {
		return cell
	}
	if rest := trimApostrophes(cell); rest != "" && bytes.IndexByte([]byte(formula), rest[0]) >= 0 {
		return cell[1:]
	}
	return cell
}

func trimApostrophes(cell string) string {
	for cell != "" && cell[0] == '\'' {
		cell = cell[1:]
	}
	return cell
}

// countError says that a row has not as many cells as there are columns.
func countError(cells, columns int) error {
	return fmt.Errorf("has %d cells, but the first line names %d columns", cells, columns)
}
