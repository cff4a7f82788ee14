package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/restjson"
)

// Document writes a page of the API as JSON writes it, row by row, without holding the rows.
type Document struct {
	out  *bufio.Writer
	name string
	rows int
}

// NewDocument returns a document whose rows are called name, as sites.
func NewDocument(w io.Writer, name string) *Document {
	return &Document{out: bufio.NewWriterSize(w, 64<<10), name: name}
}

// Add adds a row.
func (d *Document) Add(m proto.Message) error {
	raw, err := restjson.Options().Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, restjson.Visible(raw), "    ", "  "); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if d.rows == 0 {
		fmt.Fprintf(d.out, "{\n  %q: [", d.name) // the error is Flush's
	} else {
		d.out.WriteByte(',')
	}
	d.rows++
	d.out.WriteString("\n    ")
	_, err = d.out.Write(b.Bytes())
	return err
}

// Close writes the end of the document, with the token of the next page.
func (d *Document) Close(next string) error {
	token, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if d.rows == 0 {
		fmt.Fprintf(d.out, "{\n  %q: []", d.name) // the error is Flush's
	} else {
		d.out.WriteString("\n  ]")
	}
	fmt.Fprintf(d.out, ",\n  \"next_page_token\": %s\n}\n", token)
	return d.out.Flush()
}

// Lines writes messages as NDJSON: each as the REST API does, in a line of its own.
type Lines struct{ out *bufio.Writer }

// NewLines returns a writer of lines, which it buffers: see Flush.
func NewLines(w io.Writer) Lines { return Lines{bufio.NewWriterSize(w, 64<<10)} }

// Add adds a line.
func (l Lines) Add(m proto.Message) error { return JSONLine(l.out, m) }

// Flush writes what is buffered.
func (l Lines) Flush() error { return l.out.Flush() }
