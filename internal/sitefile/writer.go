package sitefile

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/restjson"
)

// Writer writes sites into a file.
type Writer struct {
	format Format
	out    *bufio.Writer
	csv    *csv.Writer
	begun  bool
	cells  []string
}

// NewWriter returns a writer to w, which it buffers: see Flush.
func NewWriter(w io.Writer, format Format) *Writer {
	out := bufio.NewWriterSize(w, 64<<10)
	return &Writer{format: format, out: out, csv: csv.NewWriter(out), cells: make([]string, len(columns))}
}

// Write writes what a file holds of a site.
func (w *Writer) Write(site *monitorv1.Site) error {
	if err := w.begin(); err != nil {
		return err
	}
	if w.format == NDJSON {
		return w.writeLine(site)
	}
	for i, c := range columns {
		w.cells[i] = guard(c.write(site))
	}
	return w.csv.Write(w.cells)
}

// begin writes what precedes the first row.
func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	switch w.format {
	case CSV:
		return w.csv.Write(Columns())
	case NDJSON:
		return nil
	}
	return fmt.Errorf("%q is no format of files of sites", string(w.format))
}

// writeLine leaves fields out that have their default.
func (w *Writer) writeLine(site *monitorv1.Site) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(Portable(site))
	if err != nil {
		return err
	}
	_, err = w.out.Write(restjson.Visible(restjson.Compact(raw)))
	return err
}

// Flush writes what is buffered. A file of CSV names its columns even if it has no site.
func (w *Writer) Flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return err
	}
	return w.out.Flush()
}
