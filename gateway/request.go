package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/Automattic/jetmon/internal/fault"
)

// checkPath checks the values bound by a path against the types of their fields.
func (r *route) checkPath(bound map[string]string) error {
	for _, field := range slices.Sorted(maps.Keys(bound)) {
		if err := checkText(findField(r.input, field), bound[field]); err != nil {
			return fault.InvalidField(r.name(field), "%w", err)
		}
		if strings.ContainsAny(bound[field], `/\`) {
			return fault.InvalidField(r.name(field), "must not contain slashes")
		}
	}
	return nil
}

// checkQuery refuses parameters that are unknown, repeated, or not of their field's type.
func (r *route) checkQuery(raw string, bound map[string]string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return fault.InvalidField("query", "is malformed: %w", err)
	}
	seen := map[protoreflect.FullName]bool{}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		fd := r.parameter(name, bound)
		if fd == nil {
			return fault.InvalidField(printable(name), "unknown query parameter; known are: %s", r.parameters(bound))
		}
		values := query[name]
		if seen[fd.FullName()] || len(values) > 1 && !fd.IsList() {
			return fault.InvalidField(string(fd.Name()), "is given more than once")
		}
		seen[fd.FullName()] = true
		for _, v := range values {
			if err := checkText(fd, v); err != nil {
				return fault.InvalidField(string(fd.Name()), "%w", err)
			}
		}
	}
	return nil
}

// parameter returns the field that a query parameter sets: a top-level field of the
// request that is in neither path nor body.
func (r *route) parameter(name string, bound map[string]string) protoreflect.FieldDescriptor {
	fd := fieldNamed(r.input, name)
	if fd == nil || fd == r.body || fd.IsMap() || fd.Message() != nil && !isWellKnown(fd.Message()) {
		return nil
	}
	if _, inPath := bound[string(fd.Name())]; inPath {
		return nil
	}
	return fd
}

func (r *route) parameters(bound map[string]string) string {
	var names []string
	for i := range r.input.Fields().Len() {
		name := string(r.input.Fields().Get(i).Name())
		if r.parameter(name, bound) != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// name returns a field of the request as the REST user knows it: the name of a field in
// the body does not include the body's own field.
func (r *route) name(field string) string {
	if r.body == nil {
		return field
	}
	prefix := string(r.body.Name())
	if field == prefix {
		return "body"
	}
	return strings.TrimPrefix(field, prefix+".")
}

// checkText checks the text of a value in a path or query. Numbers have only one form: 010
// is a mistake, not eight.
func checkText(fd protoreflect.FieldDescriptor, text string) error {
	if !utf8.ValidString(text) {
		return errors.New("must be UTF-8")
	}
	if strings.ContainsFunc(text, isControl) {
		return errors.New("must not contain control characters")
	}
	ok := true
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		ok = err == nil && strconv.FormatInt(n, 10) == text
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		ok = err == nil && strconv.FormatInt(n, 10) == text
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		ok = err == nil && strconv.FormatUint(n, 10) == text
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		ok = err == nil && strconv.FormatUint(n, 10) == text
	case protoreflect.BoolKind:
		ok = text == "true" || text == "false"
	case protoreflect.EnumKind:
		ok = fd.Enum().Values().ByName(protoreflect.Name(text)) != nil
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BytesKind:
		ok = isJSON(text, fd)
	case protoreflect.MessageKind:
		// A mask in a query has the names of the contract, and may be *; the coordinator says
		// which are none.
		ok = text != "" && (fd.Message().FullName() == fieldMask || isJSON(text, fd))
	}
	if !ok {
		return errors.New(mustBe(fd))
	}
	return nil
}

// isJSON reports whether text, in quotes, is the JSON form of a value of a field. The
// generated code takes more of some types, and says in Go's words what it does not take.
func isJSON(text string, fd protoreflect.FieldDescriptor) bool {
	quoted, err := json.Marshal(text)
	if err != nil {
		return false
	}
	if fd.IsList() {
		quoted = fmt.Appendf(nil, "[%s]", quoted)
	}
	return fits(quoted, dynamicpb.NewMessage(fd.ContainingMessage()), fd)
}

// checkPatch refuses a PATCH that changes nothing. The generated code derives the mask from
// the body's fields, and derives a wrong one from an empty object.
func (r *route) checkPatch(body []byte, rawQuery string) error {
	if r.method != http.MethodPatch {
		return nil
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return fault.InvalidField("query", "is malformed: %w", err)
	}
	for name := range query {
		if fd := fieldNamed(r.input, name); fd != nil && fd.Message() != nil && fd.Message().FullName() == fieldMask {
			return nil
		}
	}
	if members, _ := objectMembers(body); len(members) == 0 {
		return fault.InvalidField("body", "holds no field to change")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// printable makes a name from outside safe for a message.
func printable(name string) string {
	const most = 64
	if name == "" {
		return `""`
	}
	if len(name) > most {
		name = name[:most] + "..."
	}
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return fmt.Sprintf("%q", name)
	}
	return name
}
