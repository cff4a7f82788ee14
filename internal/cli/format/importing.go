package format

import (
	"encoding/json"
	"fmt"
	"io"
)

// ImportSummary counts what became of the rows of an import.
type ImportSummary struct {
	Rows      int `json:"rows"`
	Created   int `json:"created"`
	Unchanged int `json:"unchanged"`
	Different int `json:"different"`
	Refused   int `json:"refused"`
}

// Write writes the counts, as JSON or in a line.
func (s ImportSummary) Write(w io.Writer, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(s)
		return put(w, append(line, '\n'), err)
	}
	_, err := fmt.Fprintf(w, "%s: %d created, %d unchanged, %d different (left as they are), %d refused\n",
		Count(s.Rows, "row"), s.Created, s.Unchanged, s.Different, s.Refused)
	return err
}
