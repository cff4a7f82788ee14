package format

import (
	"io"

	"github.com/Automattic/jetmon/internal/contexts"
)

// Contexts writes the contexts as JSON.
func Contexts(w io.Writer, f contexts.File) error {
	if f.Contexts == nil {
		f.Contexts = map[string]contexts.Context{} // an object, also when it is empty
	}
	return value(w, f)
}
