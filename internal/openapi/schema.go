package openapi

import (
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/restjson"
)

// schemas makes the schemas of messages and enums, as JSON has them.
type schemas struct {
	out *Members[*Schema]
}

const schemaPath = "#/components/schemas/"

// ref refers to the schema of a message, which it makes if there is none yet.
func (s schemas) ref(m *protogen.Message) *Schema {
	name := string(m.Desc.Name())
	if _, ok := s.out.Get(name); !ok {
		s.out.Set(name, &Schema{}) // a message may lead to itself
		s.out.Set(name, s.message(m))
	}
	return &Schema{Ref: schemaPath + name}
}

func (s schemas) message(m *protogen.Message) *Schema {
	out := &Schema{Type: "object", Description: text(m.Comments.Leading)}
	for _, f := range m.Fields {
		out.Properties.Set(restjson.Name(f.Desc), s.property(f))
	}
	return out
}

func (s schemas) enum(e *protogen.Enum) *Schema {
	name := string(e.Desc.Name())
	if _, ok := s.out.Get(name); !ok {
		out := &Schema{Type: "string", Description: text(e.Comments.Leading)}
		for _, v := range e.Values {
			out.Enum = append(out.Enum, string(v.Desc.Name()))
			out.Description += "\n* `" + string(v.Desc.Name()) + "`: " + text(v.Comments.Leading)
		}
		s.out.Set(name, out)
	}
	return &Schema{Ref: schemaPath + name}
}

// property is the schema of a field with what is said of it.
func (s schemas) property(f *protogen.Field) *Schema {
	out := s.field(f)
	out.Description = text(f.Comments.Leading) // OpenAPI 3.1 has it beside a $ref, too
	out.ReadOnly = slices.Contains(behavior(f), annotations.FieldBehavior_OUTPUT_ONLY)
	return out
}

func behavior(f *protogen.Field) []annotations.FieldBehavior {
	all, _ := proto.GetExtension(f.Desc.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return all
}

// field is the schema of a field's values, within its constraints.
func (s schemas) field(f *protogen.Field) *Schema {
	rules, _ := proto.GetExtension(f.Desc.Options(), validate.E_Field).(*validate.FieldRules)
	switch {
	case f.Desc.IsMap():
		value := f.Message.Fields[1]
		return &Schema{Type: "object", Additional: constrain(s.single(value), rules.GetMap().GetValues())}
	case f.Desc.IsList():
		out := &Schema{Type: "array", Items: constrain(s.single(f), rules.GetRepeated().GetItems())}
		if r := rules.GetRepeated(); r != nil {
			out.UniqueItems = r.GetUnique()
			if r.HasMinItems() {
				out.MinItems = new(r.GetMinItems())
			}
			if r.HasMaxItems() {
				out.MaxItems = new(r.GetMaxItems())
			}
		}
		return out
	}
	return constrain(s.single(f), rules)
}

// single is the schema of one value.
func (s schemas) single(f *protogen.Field) *Schema {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return &Schema{Type: "boolean"}
	case protoreflect.StringKind:
		return &Schema{Type: "string"}
	case protoreflect.BytesKind:
		return &Schema{Type: "string", Format: "byte"}
	case protoreflect.FloatKind:
		return &Schema{Type: "number", Format: "float"}
	case protoreflect.DoubleKind:
		return &Schema{Type: "number", Format: "double"}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return &Schema{Type: "integer", Format: "int32"}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return &Schema{Type: "integer", Format: "int64", Minimum: new(int64)}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return &Schema{Type: "string", Format: "int64", Pattern: "^-?[0-9]+$"}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &Schema{Type: "string", Format: "uint64", Pattern: "^[0-9]+$"}
	case protoreflect.EnumKind:
		return s.enum(f.Enum)
	}
	if known := wellKnown(f.Message.Desc.FullName()); known != nil {
		return known
	}
	return s.ref(f.Message)
}

// wellKnown is the schema of a message of Google's whose JSON is no object; nil for others.
func wellKnown(name protoreflect.FullName) *Schema {
	switch name {
	case "google.protobuf.Timestamp":
		return &Schema{Type: "string", Format: "date-time", Example: "2026-11-30T12:00:00Z"}
	case "google.protobuf.Duration":
		return &Schema{Type: "string", Pattern: `^-?[0-9]+(\.[0-9]{1,9})?s$`, Example: "300s"}
	case "google.protobuf.FieldMask":
		return &Schema{Type: "string", Example: "paused,settings.method"}
	case "google.protobuf.Any":
		one := &Schema{Type: "object", Additional: true, Required: []string{"@type"}}
		one.Properties.Set("@type", &Schema{Type: "string", Description: "Which message it is, as type.googleapis.com/google.rpc.BadRequest."})
		return one
	}
	return nil
}

// constrain adds constraints of protovalidate that a schema can say. What it cannot say, as the
// ranges of 64-bit numbers, which are strings in JSON, the description has.
func constrain(s *Schema, rules *validate.FieldRules) *Schema {
	switch {
	case rules.HasString():
		constrainText(s, rules.GetString())
	case rules.HasInt32():
		r := rules.GetInt32()
		bound(s, r)
		if r.HasGt() {
			s.ExclusiveMinimum = new(int64(r.GetGt()))
		}
	case rules.HasUint32():
		r := rules.GetUint32()
		bound(s, r)
	}
	return s
}

// constrainText counts bytes as characters: of no text are there more.
func constrainText(s *Schema, r *validate.StringRules) {
	s.Pattern = r.GetPattern()
	switch {
	case r.HasMaxLen():
		s.MaxLength = new(r.GetMaxLen())
	case r.HasMaxBytes():
		s.MaxLength = new(r.GetMaxBytes())
	}
	if r.HasMinLen() && r.GetMinLen() > 0 {
		s.MinLength = new(r.GetMinLen())
	} else if r.GetMinBytes() > 0 {
		s.MinLength = new(uint64(1))
	}
	for _, v := range r.GetIn() {
		s.Enum = append(s.Enum, v)
	}
	if r.HasEmail() {
		s.Format = "email"
	}
}

// numberRules are the constraints of a number.
type numberRules[N int32 | uint32] interface {
	HasGte() bool
	HasLte() bool
	GetGte() N
	GetLte() N
}

func bound[N int32 | uint32](s *Schema, r numberRules[N]) {
	if r.HasGte() {
		s.Minimum = new(int64(r.GetGte()))
	}
	if r.HasLte() {
		s.Maximum = new(int64(r.GetLte()))
	}
}
