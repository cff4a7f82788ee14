// Package restjson encodes messages as Jetmon's JSON, for the gateway's REST and for
// --json on the command line. Field names are those of the protos, zero values are
// included, and the same message always gives the same bytes (protojson varies its blanks
// on purpose).
//
// It knows no message and no role.
package restjson

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Options returns the options of the encoding. Their output still varies in its blanks; see
// Compact.
func Options() protojson.MarshalOptions {
	return protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
}

// Line encodes m in one line, as the REST API does.
func Line(m proto.Message) ([]byte, error) {
	raw, err := Options().Marshal(m)
	if err != nil {
		return nil, err
	}
	return Compact(raw)
}

// Indented encodes m like Line, but indented by two blanks for people to read.
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

// Compact converts raw JSON to one line.
func Compact(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
