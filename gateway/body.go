package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/Automattic/jetmon/internal/fault"
)

// checkBody checks a JSON body against its message and names the field at fault. protojson,
// which decodes the body afterwards, names the field only sometimes, and its messages are
// not for users.
func checkBody(data []byte, md protoreflect.MessageDescriptor) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fault.InvalidField("body", "must be a JSON object, is empty")
	}
	if !utf8.Valid(data) {
		return fault.InvalidField("body", "must be UTF-8")
	}
	if !json.Valid(data) {
		err := json.Unmarshal(data, new(json.RawMessage))
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fault.InvalidField("body", "is not JSON at byte %d: %w", at.Offset, err)
		}
		return fault.InvalidField("body", "is not JSON: %w", err)
	}
	whole := bytes.TrimSpace(data)
	if err := checkSize(whole); err != nil {
		return err
	}
	// Most bodies are good, and protojson has the last word on those.
	m := dynamicpb.NewMessage(md)
	if protojson.Unmarshal(data, m) == nil {
		return nil
	}
	if err := checkObject(whole, m, ""); err != nil {
		return err
	}
	return fault.InvalidField("body", "is not a valid %s", md.Name())
}

// maxNamed is how many elements of a list or map are checked one by one. In a longer one,
// which no valid request has, the error names the list and not the element.
const maxNamed = 100

// checkObject looks for a fault in the members of a JSON object at path, which should be a
// message like m. raw is valid JSON.
func checkObject(raw json.RawMessage, m protoreflect.Message, path string) error {
	members, ok := objectMembers(raw)
	if !ok {
		return fault.InvalidField(orBody(path), "must be a JSON object")
	}
	seen := map[protoreflect.FieldNumber]bool{}
	for _, member := range members {
		fd := fieldNamed(m.Descriptor(), member.name)
		if fd == nil {
			return fault.InvalidField(join(path, printable(member.name)), "unknown field")
		}
		at := join(path, string(fd.Name()))
		if seen[fd.Number()] {
			return fault.InvalidField(at, "is given more than once")
		}
		seen[fd.Number()] = true
		if fits(member.value, m, fd) {
			continue
		}
		if err := checkMember(member.value, m, fd, at); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether protojson accepts raw as a value of m's field fd.
func fits(raw json.RawMessage, m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	return protojson.Unmarshal(fmt.Appendf(nil, `{%q:%s}`, fd.Name(), raw), m.New().Interface()) == nil
}

// checkMember returns the fault of raw, which does not fit m's field fd.
func checkMember(raw json.RawMessage, m protoreflect.Message, fd protoreflect.FieldDescriptor, path string) error {
	switch {
	case fd.IsMap():
		members, ok := objectMembers(raw)
		if !ok {
			return fault.InvalidField(path, "must be a JSON object")
		}
		for _, member := range members[:min(len(members), maxNamed)] {
			if !fits(fmt.Appendf(nil, `{"":%s}`, member.value), m, fd) {
				element := m.NewField(fd).Map().NewValue()
				return checkElement(member.value, element, fd.MapValue(), path+"["+printable(member.name)+"]")
			}
		}
		return fault.InvalidField(path, "has a member that is not valid")
	case fd.IsList():
		elements, ok := arrayElements(raw)
		if !ok {
			return fault.InvalidField(path, "must be a JSON array")
		}
		for i, e := range elements[:min(len(elements), maxNamed)] {
			if !fits(fmt.Appendf(nil, `[%s]`, e), m, fd) {
				return checkElement(e, m.NewField(fd).List().NewElement(), fd, fmt.Sprintf("%s[%d]", path, i))
			}
		}
		return fault.InvalidField(path, "has an element that is not valid")
	}
	return checkElement(raw, m.NewField(fd), fd, path)
}

// checkElement returns the fault of raw, which does not fit one value like empty.
func checkElement(raw json.RawMessage, empty protoreflect.Value, fd protoreflect.FieldDescriptor, path string) error {
	if fd.Message() != nil && !isWellKnown(fd.Message()) {
		return checkObject(raw, empty.Message(), path)
	}
	return fault.InvalidField(path, "%s", mustBe(fd))
}

type member struct {
	name  string
	value json.RawMessage
}

// objectMembers returns the members of a JSON object in order, including repeated names.
func objectMembers(raw json.RawMessage) ([]member, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var members []member
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		members = append(members, member{name, value})
	}
	_, err := d.Token()
	return members, err == nil
}

func arrayElements(raw json.RawMessage) ([]json.RawMessage, bool) {
	var elements []json.RawMessage
	if !bytes.HasPrefix(raw, []byte("[")) {
		return nil, false
	}
	err := json.Unmarshal(raw, &elements)
	return elements, err == nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

const (
	wellKnownPackage = "google.protobuf"
	fieldMask        = "google.protobuf.FieldMask"
)

// isWellKnown reports whether m has a special JSON form, mostly a string.
func isWellKnown(m protoreflect.MessageDescriptor) bool {
	return m.ParentFile().Package() == wellKnownPackage
}

// mustBe describes the valid values of a field.
func mustBe(fd protoreflect.FieldDescriptor) string {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return "must be true or false"
	case protoreflect.StringKind:
		return "must be a string"
	case protoreflect.BytesKind:
		return "must be a string in base64"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "must be a number"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return "must be a whole number from -2147483648 to 2147483647"
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return "must be a whole number from 0 to 4294967295"
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return "must be a whole number of at most 64 bits"
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return "must be a whole number from 0, of at most 64 bits"
	case protoreflect.EnumKind:
		var names []string
		for i := range fd.Enum().Values().Len() {
			names = append(names, string(fd.Enum().Values().Get(i).Name()))
		}
		return "must be one of " + strings.Join(names, ", ")
	case protoreflect.MessageKind, protoreflect.GroupKind:
		switch fd.Message().FullName() {
		case "google.protobuf.Duration":
			return `must be a time span in seconds, as "60s"`
		case "google.protobuf.Timestamp":
			return `must be a time as "2026-11-30T09:15:00Z"`
		case fieldMask:
			return "must be names of fields, separated by commas"
		}
	}
	return "is not valid"
}
