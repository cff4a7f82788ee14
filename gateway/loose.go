package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/fault"
)

// A client in PHP sends what its language makes of values: 1 or "1" for true, and [] for an
// object without members. Where WordPress's own REST API would take it, we do.

// loosen returns a body of WordPress.com's with its values as their fields have them, and the
// paths of the fields that it has. It leaves what it does not know for checkBody to refuse, and
// refuses null, which could mean two things: to keep a value, or to clear it.
func loosen(data []byte, md protoreflect.MessageDescriptor) ([]byte, []string, error) {
	data = bytes.TrimSpace(data)
	if !json.Valid(data) || checkSize(data) != nil {
		return data, nil, nil
	}
	return looseObject(data, md, "")
}

func looseObject(raw json.RawMessage, md protoreflect.MessageDescriptor, path string) (out json.RawMessage, has []string, err error) {
	if elements, ok := arrayElements(raw); ok && len(elements) == 0 {
		return json.RawMessage("{}"), nil, nil
	}
	members, ok := objectMembers(raw)
	if !ok {
		return raw, []string{path}, nil
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		value, below := m.value, []string(nil)
		if fd := fieldNamed(md, m.name); fd != nil {
			at := join(path, string(fd.Name()))
			if value, below, err = looseValue(m.value, fd, at); err != nil {
				return nil, nil, err
			}
		}
		has = append(has, below...)
		name, err := json.Marshal(m.name)
		if err != nil { // a string always encodes
			return nil, nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), has, nil
}

// looseValue loosens a value of a field, at a path.
func looseValue(raw json.RawMessage, fd protoreflect.FieldDescriptor, path string) (json.RawMessage, []string, error) {
	here := []string{path}
	switch {
	case string(raw) == "null":
		return nil, nil, fault.InvalidField(path, "must not be null")
	case fd.IsMap():
		return raw, here, nil
	case fd.IsList():
		elements, ok := arrayElements(raw)
		if !ok || fd.Message() == nil {
			return raw, here, nil
		}
		for i, e := range elements {
			looser, _, err := looseObject(e, fd.Message(), fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, nil, err
			}
			elements[i] = looser
		}
		out, err := json.Marshal(elements)
		if len(elements) == 0 {
			out = json.RawMessage("[]")
		}
		return out, here, err
	case fd.Message() != nil:
		return looseObject(raw, fd.Message(), path)
	case fd.Kind() == protoreflect.BoolKind:
		return looseBool(raw), here, nil
	}
	return raw, here, nil
}

// looseBool returns true or false for what WordPress takes for one.
func looseBool(raw json.RawMessage) json.RawMessage {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if json.Unmarshal(raw, &text) != nil {
			return raw
		}
	}
	switch strings.ToLower(text) {
	case "1", "true":
		return json.RawMessage("true")
	case "0", "false":
		return json.RawMessage("false")
	}
	return raw
}

// masked returns a query with the mask of a POST that changes some fields: those that its body
// has, unless the caller gives a mask.
func (r *route) masked(rawQuery string, has []string) (string, error) {
	fd := fieldNamed(r.input, maskField)
	if r.method != http.MethodPost || fd == nil || len(has) == 0 {
		return rawQuery, nil
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", fault.InvalidField("query", "is malformed: %w", err)
	}
	for name := range query {
		if fieldNamed(r.input, name) == fd {
			return rawQuery, nil
		}
	}
	query.Set(maskField, strings.Join(has, ","))
	return query.Encode(), nil
}

// maskField names the fields that a request changes.
const maskField = "update_mask"
