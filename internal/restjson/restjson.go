// Package restjson is the JSON in which Jetmon shows its messages: the gateway over REST,
// the command line with --json. Field names are those of the protos, values that are zero
// are written too, and the same message always gives the same bytes (protojson varies its
// blanks on purpose).
//
// It knows no message and no role.
package restjson

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Options are those of the encoding. What they give still varies in its blanks: see Compact.
func Options() protojson.MarshalOptions {
	return protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
}

// Line encodes m in one line, as REST answers.
func Line(m proto.Message) ([]byte, error) {
	raw, err := Options().Marshal(m)
	if err != nil {
		return nil, err
	}
	return Compact(raw)
}

// Indented encodes m as Line does, but for people to read: indented by two blanks.
func Indented(m proto.Message) ([]byte, error) {
	raw, err := Options().Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Compact makes raw JSON one line.
func Compact(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
