package format

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/restjson"
)

// IDs writes the ids of sites that were deleted.
type IDs struct {
	out             *bufio.Writer
	document, lines bool
	rows            int
}

// NewIDs returns a writer of ids: in sentences, as one document, or as a line of JSON each.
func NewIDs(w io.Writer, document, lines bool) *IDs {
	return &IDs{out: bufio.NewWriter(w), document: document, lines: lines}
}

// Add adds an id.
func (d *IDs) Add(id int64) (err error) {
	d.rows++
	switch {
	case d.lines:
		_, err = fmt.Fprintf(d.out, "{\"site_id\":\"%d\"}\n", id)
	case d.document && d.rows == 1:
		_, err = fmt.Fprintf(d.out, "{\n  \"deleted\": [\n    \"%d\"", id)
	case d.document:
		_, err = fmt.Fprintf(d.out, ",\n    \"%d\"", id)
	default:
		_, err = fmt.Fprintf(d.out, "Site %d is deleted. Its outages stay readable.\n", id)
	}
	return err
}

// Flush writes what is buffered.
func (d *IDs) Flush() error { return d.out.Flush() }

// Close writes the end.
func (d *IDs) Close() error {
	switch {
	case d.document && d.rows == 0:
		d.out.WriteString("{\n  \"deleted\": []\n}\n") // the error is Flush's
	case d.document:
		d.out.WriteString("\n  ]\n}\n")
	}
	return d.out.Flush()
}

// checkedJSON is a line of JSON about a check that was asked for.
type checkedJSON struct {
	SiteID      int64           `json:"site_id,string"`
	Observation json.RawMessage `json:"observation"`
}

// Checked writes what a check of a site saw, in a line.
func Checked(w io.Writer, id int64, o *checkv1.Observation, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintf(w, "Site %d is %s\n", id, printable(seen(o)))
		return err
	}
	raw, err := restjson.Line(o)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	line, err := json.Marshal(checkedJSON{id, raw})
	return put(w, append(line, '\n'), err)
}
