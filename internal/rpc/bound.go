package rpc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// shape is what a message may hold, before anyone looks at its values.
type shape struct {
	// output are the fields that the server sets. What a caller puts there is dropped.
	output []protoreflect.FieldDescriptor
	lists  []listBound
	inner  []innerShape
}

// listBound is the most items that a list, or pairs that a map, may have.
type listBound struct {
	field protoreflect.FieldDescriptor
	most  uint64
	rule  string // of buf.validate
}

const (
	ofList = "repeated.max_items"
	ofMap  = "map.max_pairs"
)

// innerShape is the shape of a message, or of the messages in a list or map.
type innerShape struct {
	field protoreflect.FieldDescriptor
	shape *shape
}

// shapes are those of requests and of all messages inside them.
type shapes map[protoreflect.FullName]*shape

// maxPaths is the most paths that a google.protobuf.FieldMask may have.
const maxPaths = 256

// addService adds the requests of a service, but for streams between roles. It is an error when
// one has a field that can be of any length: nobody would bound it later.
func (all shapes) addService(desc *grpc.ServiceDesc) error {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		return fmt.Errorf("service %s: %w", desc.ServiceName, err)
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return fmt.Errorf("%s is no service", desc.ServiceName)
	}
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		if (m.IsStreamingClient() || m.IsStreamingServer()) && !isPublic(m) {
			continue
		}
		if _, err := all.add(m.Input()); err != nil {
			return fmt.Errorf("method %s: %w", m.FullName(), err)
		}
	}
	return nil
}

// isPublic reports whether a method is one of the REST API.
func isPublic(m protoreflect.MethodDescriptor) bool {
	return proto.HasExtension(m.Options(), annotations.E_Http)
}

func (all shapes) add(m protoreflect.MessageDescriptor) (*shape, error) {
	if s := all[m.FullName()]; s != nil {
		return s, nil
	}
	s := new(shape)
	all[m.FullName()] = s
	if m.FullName() == "google.protobuf.FieldMask" { // which has no rules of its own
		s.lists = []listBound{{m.Fields().ByName("paths"), maxPaths, ofList}}
		return s, nil
	}
	for i := range m.Fields().Len() {
		if err := all.addField(s, m.Fields().Get(i)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (all shapes) addField(s *shape, fd protoreflect.FieldDescriptor) error {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	if slices.Contains(behavior, annotations.FieldBehavior_OUTPUT_ONLY) {
		s.output = append(s.output, fd)
		return nil
	}
	rules, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
	value, items := fd, rules
	switch {
	case fd.IsMap():
		most := rules.GetMap()
		if !most.HasMaxPairs() || !bounded(fd.MapKey(), most.GetKeys()) {
			return unbounded(fd)
		}
		s.lists = append(s.lists, listBound{fd, most.GetMaxPairs(), ofMap})
		value, items = fd.MapValue(), most.GetValues()
	case fd.IsList():
		most := rules.GetRepeated()
		if !most.HasMaxItems() {
			return unbounded(fd)
		}
		s.lists = append(s.lists, listBound{fd, most.GetMaxItems(), ofList})
		items = most.GetItems()
	}
	if !bounded(value, items) {
		return unbounded(fd)
	}
	if m := value.Message(); m != nil {
		inner, err := all.add(m)
		if err != nil {
			return err
		}
		s.inner = append(s.inner, innerShape{fd, inner})
	}
	return nil
}

func unbounded(fd protoreflect.FieldDescriptor) error {
	return fmt.Errorf("%s has no bound: say in buf.validate how long it may be", fd.FullName())
}

// limitsSize says whether a rule in CEL is the bound of a text and nothing else.
func limitsSize(r *validate.Rule) bool {
	n, ok := strings.CutPrefix(r.GetExpression(), "size(this) <= ")
	_, err := strconv.ParseUint(n, 10, 32)
	return ok && err == nil
}

// bounded says whether a value of a kind has a greatest length by its rules. A message
// has it by those of its fields.
func bounded(fd protoreflect.FieldDescriptor, rules *validate.FieldRules) bool {
	switch fd.Kind() {
	case protoreflect.StringKind:
		r := rules.GetString()
		return r.HasMaxLen() || r.HasMaxBytes() || r.HasLen() || r.HasLenBytes() || slices.ContainsFunc(rules.GetCel(), limitsSize)
	case protoreflect.BytesKind:
		return rules.GetBytes().HasMaxLen() || rules.GetBytes().HasLen()
	}
	return true
}

// fit drops what is not the caller's to set, and answers which lists are too long.
func (s *shape) fit(m protoreflect.Message) (found []*errdetails.BadRequest_FieldViolation) {
	s.walk(m, "", &found)
	return found
}

func (s *shape) walk(m protoreflect.Message, prefix string, found *[]*errdetails.BadRequest_FieldViolation) {
	for _, fd := range s.output {
		m.Clear(fd)
	}
	for _, l := range s.lists {
		if n := length(m, l.field); uint64(n) > l.most {
			*found = append(*found, &errdetails.BadRequest_FieldViolation{
				Field: prefix + string(l.field.Name()), Reason: l.rule,
				Description: fmt.Sprintf("must contain no more than %d item(s), has %d", l.most, n),
			})
		}
	}
	for _, in := range s.inner {
		if len(*found) > 0 && (in.field.IsList() || in.field.IsMap()) || !m.Has(in.field) {
			continue
		}
		path := prefix + string(in.field.Name())
		switch v := m.Get(in.field); {
		case in.field.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				in.shape.walk(v.Message(), fmt.Sprintf("%s[%q].", path, k.String()), found)
				return len(*found) == 0
			})
		case in.field.IsList():
			for i := 0; i < v.List().Len() && len(*found) == 0; i++ {
				in.shape.walk(v.List().Get(i).Message(), fmt.Sprintf("%s[%d].", path, i), found)
			}
		default:
			in.shape.walk(m.Mutable(in.field).Message(), path+".", found)
		}
	}
}

func length(m protoreflect.Message, fd protoreflect.FieldDescriptor) int {
	switch {
	case !m.Has(fd):
		return 0
	case fd.IsMap():
		return m.Get(fd).Map().Len()
	default:
		return m.Get(fd).List().Len()
	}
}
