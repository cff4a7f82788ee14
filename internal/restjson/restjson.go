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
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options returns the options of the encoding. Their output still varies in its blanks; see
// Compact.
func Options() protojson.MarshalOptions {
	return protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
}

// camelFile is the file whose messages have the names that protobuf gives fields in JSON, as isUp:
// Jetpack's plugin reads them so.
const camelFile = "jetmon/wpcom/v1/protect_dashboard_service.proto"

// OptionsFor returns the options of the encoding of a file's messages.
func OptionsFor(file protoreflect.FileDescriptor) protojson.MarshalOptions {
	o := Options()
	o.UseProtoNames = file.Path() != camelFile
	return o
}

// Name returns the name that a field has in JSON.
func Name(fd protoreflect.FieldDescriptor) string {
	if fd.ParentFile().Path() == camelFile {
		return fd.JSONName()
	}
	return string(fd.Name())
}

// Line encodes m in one line, as the REST API does.
func Line(m proto.Message) ([]byte, error) {
	raw, err := Options().Marshal(m)
	if err != nil {
		return nil, err
	}
	return Compact(raw), nil
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

// Compact converts JSON to one line. It is for what protojson has written, which is valid, and
// takes an eighth of the time of encoding/json's, which checks it once more.
func Compact(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+1)
	inText := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inText && c == '\\' && i+1 < len(raw):
			out = append(out, c)
			i++
			c = raw[i]
		case c == '"':
			inText = !inText
		case !inText && (c == ' ' || c == '\n'):
			continue
		}
		out = append(out, c)
	}
	return append(out, '\n')
}

// Visible is for JSON that people may look at: it escapes the characters in JSON that would not be seen, or would command a terminal:
// those that are not printable. It stays the same JSON, and the same bytes if there are none.
func Visible(raw []byte) []byte {
	at := 0
	for at < len(raw) && raw[at] < 0x7f { // nearly all there is
		at++
	}
	next := bytes.IndexFunc(raw[at:], hidden)
	if next < 0 {
		return raw
	}
	at += next
	out := append(make([]byte, 0, len(raw)+16), raw[:at]...)
	for _, r := range string(raw[at:]) {
		switch {
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// hidden reports whether a character is not printable. The blanks of JSON and what is not UTF-8,
// which others refuse, are left alone.
func hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r == 0x7f
	}
	return r != utf8.RuneError && !unicode.IsPrint(r)
}
