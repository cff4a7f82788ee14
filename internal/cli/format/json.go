package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/restjson"
)

// JSON writes a message as the REST API does, but indented.
func JSON(w io.Writer, m proto.Message) error {
	text, err := restjson.Indented(m)
	return put(w, text, err)
}

// JSONLine writes a message as the REST API does, in one line.
func JSONLine(w io.Writer, m proto.Message) error {
	text, err := restjson.Line(m)
	return put(w, text, err)
}

func put(w io.Writer, text []byte, err error) error {
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = w.Write(restjson.Visible(text))
	return err
}

// value writes a value that is not a message, by the same rules.
func value(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return put(w, b.Bytes(), err)
}
