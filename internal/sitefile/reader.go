package sitefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// errEncoding is the error of a row in another encoding.
var errEncoding = errors.New("is not UTF-8: save the file as UTF-8")

// Reader reads the sites of a file.
type Reader struct {
	format  Format
	lines   *lines
	records records
	columns []column
	begun   bool
	failed  error
	row     int64
	line    int64
}

// NewReader returns a reader of r, which it buffers.
func NewReader(r io.Reader, format Format) *Reader {
	l := newLines(r)
	return &Reader{format: format, lines: l, records: records{lines: l}}
}

// Row returns the number of the row that was read last, from 1.
func (r *Reader) Row() int64 { return r.row }

// Line returns the number of the line in which that row begins, from 1.
func (r *Reader) Line() int64 { return r.line }

// Next returns the next site, or io.EOF after the last. A *RowError is about one row, and the
// next can be read; every other error is the end.
func (r *Reader) Next() (*monitorv1.Site, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	if !r.begun {
		r.begun = true
		if r.failed = r.begin(); r.failed != nil {
			return nil, r.failed
		}
	}
	var site *monitorv1.Site
	var err error
	if r.format == CSV {
		site, err = r.nextCSV()
	} else {
		site, err = r.nextNDJSON()
	}
	if row, ok := errors.AsType[*RowError](err); ok {
		return nil, row
	}
	r.failed = err
	return site, err
}

// begin reads what precedes the first row.
func (r *Reader) begin() error {
	if err := r.lines.begin(); err != nil {
		return err
	}
	switch r.format {
	case CSV:
		return r.readColumns()
	case NDJSON:
		return nil
	}
	return fmt.Errorf("%q is no format of files of sites", string(r.format))
}

// readColumns reads the line that names the columns.
func (r *Reader) readColumns() error {
	first, err := r.lines.next()
	comma := byte(0)
	for err == nil && !first.long {
		text := trimEnd(first.text)
		if c, ok := separator(text); ok {
			comma = c
		} else if len(text) > 0 {
			break
		}
		first, err = r.lines.next()
	}
	if err != nil {
		return err
	}
	const wants = "the first line must name the columns, as url,blog_id,tags"
	if first.long {
		return fmt.Errorf("line %d: %w: %s", first.number, errLong, wants)
	}
	if r.records.comma = comma; comma == 0 {
		r.records.comma = commaOf(first.text)
	}
	names, err := split(first.text, r.records.comma)
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", first.number, wants, err)
	}
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		c, ok := columnNamed(name)
		switch {
		case strings.Contains(name, "://"):
			return fmt.Errorf("line %d: %s; it has the URL %s", first.number, wants, quoted(name))
		case !ok:
			return fmt.Errorf("line %d: there is no column %s; the columns are %s", first.number, quoted(name), strings.Join(Columns(), ", "))
		case slices.ContainsFunc(r.columns, func(o column) bool { return o.name == name }):
			return fmt.Errorf("line %d: the column %s is there twice", first.number, name)
		}
		r.columns = append(r.columns, c)
	}
	if !slices.ContainsFunc(r.columns, func(c column) bool { return c.name == "url" }) {
		return fmt.Errorf("line %d: there is no column url", first.number)
	}
	return nil
}

func (r *Reader) nextCSV() (*monitorv1.Site, error) {
	for {
		cells, line, err := r.records.next()
		if refused, ok := errors.AsType[*RowError](err); ok {
			r.row, r.line = r.row+1, line
			refused.Row = r.row
			return nil, refused
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue // what spreadsheets leave of rows that were deleted
		}
		r.row, r.line = r.row+1, line
		site, err := r.siteOf(cells)
		if err != nil {
			return nil, rowError(r.row, line, err)
		}
		return site, nil
	}
}

// siteOf converts the cells of a row.
func (r *Reader) siteOf(cells []string) (*monitorv1.Site, error) {
	if len(cells) != len(r.columns) {
		return nil, countError(len(cells), len(r.columns))
	}
	site := &monitorv1.Site{Settings: &monitorv1.CheckSettings{}}
	for i, c := range r.columns {
		cell := cells[i]
		if !utf8.ValidString(cell) {
			return nil, fieldError{c.fieldName(), errEncoding}
		}
		if cell = unguard(cell); c.name != "url" {
			cell = strings.TrimSpace(cell)
		}
		if cell == "" {
			continue
		}
		if err := c.read(site, cell); err != nil {
			return nil, fieldError{c.fieldName(), err}
		}
	}
	return Portable(site), nil
}

func (c column) fieldName() string {
	if c.field != "" {
		return c.field
	}
	return c.name
}

func (r *Reader) nextNDJSON() (*monitorv1.Site, error) {
	for {
		l, err := r.lines.next()
		if err != nil {
			return nil, err
		}
		text := bytes.TrimSpace(l.text)
		if len(text) == 0 && !l.long {
			continue
		}
		r.row, r.line = r.row+1, l.number
		if l.long {
			return nil, rowError(r.row, l.number, errLong)
		}
		site, err := parse(text)
		if err != nil {
			return nil, rowError(r.row, l.number, err)
		}
		return site, nil
	}
}

// parse reads a site in JSON. Fields that an import does not need are read over.
func parse(text []byte) (*monitorv1.Site, error) {
	if text[0] != '{' {
		return nil, errors.New(`must be a site in JSON, as {"url":"https://example.com/"}`)
	}
	if !utf8.Valid(text) {
		return nil, errEncoding
	}
	site := &monitorv1.Site{}
	if err := protojson.Unmarshal(text, site); err != nil {
		return nil, plain(err)
	}
	return Portable(site), nil
}

// plain cuts what the library puts before its errors: its name with a blank that varies, and
// a place in the line.
func plain(err error) error {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	text = strings.TrimPrefix(text, "proto: ")
	if rest, ok := strings.CutPrefix(text, "(line 1:"); ok {
		if at, what, ok := strings.Cut(rest, "): "); ok {
			text = fmt.Sprintf("column %s: %s", at, what)
		}
	}
	return errors.New(text)
}
