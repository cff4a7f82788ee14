package cli

import (
	"io"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

// ListSymptoms prints the symptoms that a diagnosis knows, in lines of width cells; 0 means
// any number.
func ListSymptoms(w io.Writer, width int) error {
	table := format.NewTable(w, width, "SYMPTOM", "ON THE SCREEN")
	for _, s := range symptom.All() {
		for i, words := range s.Words {
			name := s.Name
			if i > 0 {
				name = ""
			}
			if err := table.Add(name, words); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}
