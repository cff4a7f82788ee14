package xmlrpc

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Limits on a document.
const (
	maxDepth  = 32
	maxValues = 10_000
)

// Value is a string, int64, float64, bool, []byte (base64), []Value (array),
// map[string]Value (struct), Time or nil.
type Value = any

// Time is a dateTime.iso8601 in its original text; it has no time zone.
type Time string

// writeValue writes a <value>. The types are those of Value and int.
func writeValue(w *bytes.Buffer, v Value) error {
	w.WriteString("<value>")
	switch v := v.(type) {
	case nil:
		w.WriteString("<nil/>")
	case string:
		w.WriteString("<string>")
		if err := xml.EscapeText(w, []byte(v)); err != nil {
			return fmt.Errorf("write a string: %w", err)
		}
		w.WriteString("</string>")
	case int:
		fmt.Fprintf(w, "<int>%d</int>", v)
	case int64:
		fmt.Fprintf(w, "<int>%d</int>", v)
	case bool:
		digit := 0
		if v {
			digit = 1
		}
		fmt.Fprintf(w, "<boolean>%d</boolean>", digit)
	case float64:
		fmt.Fprintf(w, "<double>%s</double>", strconv.FormatFloat(v, 'f', -1, 64))
	case []byte:
		fmt.Fprintf(w, "<base64>%s</base64>", base64.StdEncoding.EncodeToString(v))
	case Time:
		w.WriteString("<dateTime.iso8601>")
		if err := xml.EscapeText(w, []byte(v)); err != nil {
			return fmt.Errorf("write a time: %w", err)
		}
		w.WriteString("</dateTime.iso8601>")
	case []Value:
		w.WriteString("<array><data>")
		for _, e := range v {
			if err := writeValue(w, e); err != nil {
				return err
			}
		}
		w.WriteString("</data></array>")
	case map[string]Value:
		w.WriteString("<struct>")
		for _, name := range slices.Sorted(maps.Keys(v)) {
			w.WriteString("<member><name>")
			if err := xml.EscapeText(w, []byte(name)); err != nil {
				return fmt.Errorf("write a name: %w", err)
			}
			w.WriteString("</name>")
			if err := writeValue(w, v[name]); err != nil {
				return err
			}
			w.WriteString("</member>")
		}
		w.WriteString("</struct>")
	default:
		return fmt.Errorf("write a value: type %T is not one of XML-RPC", v)
	}
	w.WriteString("</value>")
	return nil
}

// reader reads one document.
type reader struct {
	d      *xml.Decoder
	values int
}

func newReader(data []byte) *reader {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charsetReader
	return &reader{d: d}
}

// charsetReader reads every charset other than UTF-8 as Latin-1, since names of methods
// and faults are ASCII in all of them.
func charsetReader(charset string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "utf-8", "us-ascii", "ascii":
		return in, nil
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	out := make([]rune, len(data))
	for i, b := range data {
		out[i] = rune(b)
	}
	return strings.NewReader(string(out)), nil
}

// errEnd reports the end of the current element.
var errEnd = errors.New("xmlrpc: end of element")

// child returns the name of the next element inside the current one, and errEnd after the
// last. It skips text between elements.
func (r *reader) child() (string, error) {
	for {
		t, err := r.d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", errEnd
		}
	}
}

// enter starts the next element, which must have this name.
func (r *reader) enter(name string) error {
	got, err := r.child()
	if errors.Is(err, errEnd) {
		return fmt.Errorf("<%s> is missing", name)
	}
	if err == nil && got != name {
		err = fmt.Errorf("<%s> stands where <%s> should", got, name)
	}
	return err
}

// leave reads the end of the current element, which must follow now.
func (r *reader) leave() error {
	name, err := r.child()
	if errors.Is(err, errEnd) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("<%s> is too much", name)
	}
	return err
}

// text reads the text of the current element up to its end.
func (r *reader) text() (string, error) {
	var b strings.Builder
	for {
		t, err := r.d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", fmt.Errorf("<%s> stands inside of a text", t.Name.Local)
		case xml.EndElement:
			return b.String(), nil
		}
	}
}

// value reads the inside of a <value> up to its end.
func (r *reader) value(depth int) (Value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("values are nested deeper than %d", maxDepth)
	}
	if r.values++; r.values > maxValues {
		return nil, fmt.Errorf("there are more than %d values", maxValues)
	}
	var plain strings.Builder
	for {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			plain.Write(t)
		case xml.EndElement: // a value without a type is a string
			return plain.String(), nil
		case xml.StartElement:
			v, err := r.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			return v, r.leave()
		}
	}
}

// typed reads the inside of a type's element up to its end.
func (r *reader) typed(name string, depth int) (Value, error) {
	switch name {
	case "array":
		return r.array(depth)
	case "struct":
		return r.members(depth)
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	var v Value
	trimmed := strings.TrimSpace(text)
	switch name {
	case "string":
		return text, nil
	case "int", "i4", "i8":
		v, err = strconv.ParseInt(trimmed, 10, 64)
	case "double":
		v, err = strconv.ParseFloat(trimmed, 64)
	case "boolean":
		v, err = strconv.ParseBool(trimmed)
	case "base64":
		v, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	case "dateTime.iso8601":
		v = Time(trimmed)
	case "nil":
		return nil, nil
	default:
		return nil, fmt.Errorf("<%s> is not a type of XML-RPC", name)
	}
	if err != nil {
		return nil, fmt.Errorf("<%s> does not hold one", name)
	}
	return v, nil
}

func (r *reader) array(depth int) (Value, error) {
	if err := r.enter("data"); err != nil {
		return nil, err
	}
	all := []Value{}
	for {
		name, err := r.child()
		if errors.Is(err, errEnd) {
			return all, r.leave()
		}
		if err != nil {
			return nil, err
		}
		if name != "value" {
			return nil, fmt.Errorf("<%s> stands in an array", name)
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}

func (r *reader) members(depth int) (Value, error) {
	all := map[string]Value{}
	for {
		element, err := r.child()
		if errors.Is(err, errEnd) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if element != "member" {
			return nil, fmt.Errorf("<%s> stands in a struct", element)
		}
		if err := r.enter("name"); err != nil {
			return nil, err
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if err := r.enter("value"); err != nil {
			return nil, err
		}
		if all[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if err := r.leave(); err != nil {
			return nil, err
		}
	}
}
