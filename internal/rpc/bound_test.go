package rpc

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	_ "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	_ "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	_ "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	_ "github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// contract is every service of ours, by its descriptor.
func contract(t testing.TB) (services []protoreflect.ServiceDescriptor) {
	t.Helper()
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(f.Path(), "jetmon/") {
			for i := range f.Services().Len() {
				services = append(services, f.Services().Get(i))
			}
		}
		return true
	})
	return services
}

// unaryMethods are those of all services.
func unaryMethods(t testing.TB) (methods []protoreflect.MethodDescriptor) {
	t.Helper()
	for _, s := range contract(t) {
		for i := range s.Methods().Len() {
			if m := s.Methods().Get(i); !m.IsStreamingClient() && !m.IsStreamingServer() {
				methods = append(methods, m)
			}
		}
	}
	return methods
}

func TestTheseTestsKnowEveryServiceOfTheContract(t *testing.T) {
	t.Parallel()
	const root = "../../proto"
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".proto") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\nservice ") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if _, err := protoregistry.GlobalFiles.FindFileByPath(filepath.ToSlash(name)); err != nil {
			t.Errorf("%s has a service and is not imported here: %v", name, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(unaryMethods(t)); n < 14 {
		t.Errorf("%d unary methods", n)
	}
}

func TestEveryFieldOfEveryRequestIsBounded(t *testing.T) {
	t.Parallel()
	for _, s := range contract(t) {
		if err := (shapes{}).addService(&grpc.ServiceDesc{ServiceName: string(s.FullName())}); err != nil {
			t.Error(err)
		}
	}
}

func TestAServerIsRefusedWhoseRequestsHaveNoBound(t *testing.T) {
	t.Parallel()
	register := func(r grpc.ServiceRegistrar) {
		grpc_health_v1.RegisterHealthServer(r, grpc_health_v1.UnimplementedHealthServer{})
	}
	_, err := NewServer(ServerOptions{Validate: true, Access: Open()}, register)
	if err == nil || !strings.Contains(err.Error(), "grpc.health.v1.HealthCheckRequest.service") {
		t.Errorf("%v", err)
	}
}

// field makes a field of a request; options are its rules and behaviors.
func field(name string, kind descriptorpb.FieldDescriptorProto_Type, rules *validate.FieldRules, change ...func(*descriptorpb.FieldDescriptorProto)) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), Number: proto.Int32(1), Type: kind.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		Options: &descriptorpb.FieldOptions{},
	}
	if rules != nil {
		proto.SetExtension(f.Options, validate.E_Field, rules)
	}
	for _, c := range change {
		c(f)
	}
	return f
}

func repeated(f *descriptorpb.FieldDescriptorProto) {
	f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
}

func ofType(name string) func(*descriptorpb.FieldDescriptorProto) {
	return func(f *descriptorpb.FieldDescriptorProto) { f.TypeName = proto.String(name) }
}

func outputOnly(f *descriptorpb.FieldDescriptorProto) {
	proto.SetExtension(f.Options, annotations.E_FieldBehavior, []annotations.FieldBehavior{annotations.FieldBehavior_OUTPUT_ONLY})
}

// request makes a message type of one field.
func request(t testing.TB, f *descriptorpb.FieldDescriptorProto) protoreflect.MessageDescriptor {
	t.Helper()
	entry := func(name string, value descriptorpb.FieldDescriptorProto_Type) *descriptorpb.DescriptorProto {
		second := field("value", value, nil)
		second.Number = proto.Int32(2)
		return &descriptorpb.DescriptorProto{
			Name:    proto.String(name),
			Field:   []*descriptorpb.FieldDescriptorProto{field("key", descriptorpb.FieldDescriptorProto_TYPE_STRING, nil), second},
			Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		}
	}
	messages := []*descriptorpb.DescriptorProto{
		{Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{f}, NestedType: []*descriptorpb.DescriptorProto{
			entry("PairsEntry", descriptorpb.FieldDescriptorProto_TYPE_STRING),
		}},
		{Name: proto.String("Open"), Field: []*descriptorpb.FieldDescriptorProto{field("text", descriptorpb.FieldDescriptorProto_TYPE_STRING, nil)}},
		{Name: proto.String("Closed"), Field: []*descriptorpb.FieldDescriptorProto{field("n", descriptorpb.FieldDescriptorProto_TYPE_INT64, nil)}},
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("made/up.proto"), Package: proto.String("made.up"), Syntax: proto.String("proto3"), MessageType: messages,
		Dependency: []string{"google/protobuf/struct.proto", "google/protobuf/any.proto", "google/protobuf/wrappers.proto",
			"google/protobuf/timestamp.proto", "google/protobuf/field_mask.proto"},
	}
	made, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return made.Messages().ByName("Request")
}

func TestAFieldIsBoundedOrNot(t *testing.T) {
	t.Parallel()
	const text, number, raw, message = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_INT64,
		descriptorpb.FieldDescriptorProto_TYPE_BYTES, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	short := validate.FieldRules_builder{String: validate.StringRules_builder{MaxLen: proto.Uint64(5)}.Build()}.Build()
	cel := func(expression string) *validate.FieldRules {
		return validate.FieldRules_builder{Cel: []*validate.Rule{validate.Rule_builder{Id: proto.String("x"), Expression: &expression}.Build()}}.Build()
	}
	few := validate.FieldRules_builder{Repeated: validate.RepeatedRules_builder{MaxItems: proto.Uint64(5)}.Build()}.Build()
	fewShort := validate.FieldRules_builder{Repeated: validate.RepeatedRules_builder{MaxItems: proto.Uint64(5), Items: short}.Build()}.Build()
	someKeys := validate.FieldRules_builder{Map: validate.MapRules_builder{MaxPairs: proto.Uint64(5), Keys: short}.Build()}.Build()
	pairs := validate.FieldRules_builder{Map: validate.MapRules_builder{MaxPairs: proto.Uint64(5), Keys: short, Values: short}.Build()}.Build()
	for name, tt := range map[string]struct {
		field   *descriptorpb.FieldDescriptorProto
		bounded bool
	}{
		"a number":                          {field("n", number, nil), true},
		"a text":                            {field("t", text, nil), false},
		"a short text":                      {field("t", text, short), true},
		"a text short by a rule in CEL":     {field("t", text, cel("size(this) <= 300")), true},
		"a text with another rule in CEL":   {field("t", text, cel("size(this) <= 300 || true")), false},
		"bytes":                             {field("b", raw, nil), false},
		"a list of numbers":                 {field("n", number, nil, repeated), false},
		"a short list of numbers":           {field("n", number, few, repeated), true},
		"a short list of texts":             {field("t", text, few, repeated), false},
		"a short list of short texts":       {field("t", text, fewShort, repeated), true},
		"a map":                             {field("pairs", message, nil, repeated, ofType(".made.up.Request.PairsEntry")), false},
		"a map of long values":              {field("pairs", message, someKeys, repeated, ofType(".made.up.Request.PairsEntry")), false},
		"a small map":                       {field("pairs", message, pairs, repeated, ofType(".made.up.Request.PairsEntry")), true},
		"a message with a text":             {field("m", message, nil, ofType(".made.up.Open")), false},
		"a message without":                 {field("m", message, nil, ofType(".made.up.Closed")), true},
		"a short list of messages with one": {field("m", message, few, repeated, ofType(".made.up.Open")), false},
		"a list of messages without":        {field("m", message, nil, repeated, ofType(".made.up.Closed")), false},
		"a struct":                          {field("s", message, nil, ofType(".google.protobuf.Struct")), false},
		"anything":                          {field("a", message, nil, ofType(".google.protobuf.Any")), false},
		"a text that may be absent":         {field("w", message, nil, ofType(".google.protobuf.StringValue")), false},
		"a number that may be absent":       {field("w", message, nil, ofType(".google.protobuf.Int64Value")), true},
		"a time":                            {field("t", message, nil, ofType(".google.protobuf.Timestamp")), true},
		"a mask":                            {field("m", message, nil, ofType(".google.protobuf.FieldMask")), true},
		"what the server sets":              {field("t", text, nil, outputOnly), true},
	} {
		md := request(t, tt.field)
		_, err := shapes{}.add(md)
		if (err == nil) != tt.bounded || err != nil && !strings.Contains(err.Error(), " has no bound") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// overfull yields for each list inside a request a message in which it has one item more
// than it may, and one in which it has as many as it may, with the path of the list.
func overfull(t *testing.T, all shapes, md protoreflect.MessageDescriptor, each func(path string, full, over proto.Message)) {
	t.Helper()
	var visit func(s *shape, prefix string, within func(protoreflect.Message) protoreflect.Message)
	visit = func(s *shape, prefix string, within func(protoreflect.Message) protoreflect.Message) {
		for _, l := range s.lists {
			fill := func(n uint64) proto.Message {
				root := dynamicpb.NewMessage(md)
				m := within(root)
				for range n {
					if l.field.IsMap() {
						t.Fatalf("%s is a map: fill it here", l.field.FullName())
					}
					list := m.Mutable(l.field).List()
					list.Append(list.NewElement())
				}
				return root
			}
			each(prefix+string(l.field.Name()), fill(l.most), fill(l.most+1))
		}
		for _, in := range s.inner {
			if in.field.IsList() || in.field.IsMap() {
				continue // no list lies in one today
			}
			visit(in.shape, prefix+string(in.field.Name())+".", func(root protoreflect.Message) protoreflect.Message {
				return within(root).Mutable(in.field).Message()
			})
		}
	}
	visit(all[md.FullName()], "", func(m protoreflect.Message) protoreflect.Message { return m })
}

func TestEveryListOfEveryRequestIsRefusedByItsLengthAlone(t *testing.T) {
	t.Parallel()
	v, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, m := range unaryMethods(t) {
		if _, err := v.shapes.add(m.Input()); err != nil {
			t.Fatal(err)
		}
		overfull(t, v.shapes, m.Input(), func(path string, full, over proto.Message) {
			lists = append(lists, path)
			if found := v.shapes[m.Input().FullName()].fit(full.ProtoReflect()); len(found) > 0 {
				t.Errorf("%s: %s with as many as it may have: %v", m.FullName(), path, found)
			}
			err := v.check(over)
			if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), path+": must contain no more than ") || strings.Contains(err.Error(), ";") {
				t.Errorf("%s: %s with one more: %v", m.FullName(), path, err)
			}
		})
	}
	for _, want := range []string{"site_ids", "site.settings.required_texts", "site.settings.headers", "update_mask.paths", "target.headers"} {
		if !slices.Contains(lists, want) {
			t.Errorf("%s is not among %v", want, lists)
		}
	}
}

func TestWhatTheServerSetsIsDroppedFromRequests(t *testing.T) {
	t.Parallel()
	all := shapes{}
	for _, m := range unaryMethods(t) {
		if _, err := all.add(m.Input()); err != nil {
			t.Fatal(err)
		}
	}
	site, err := protoregistry.GlobalFiles.FindDescriptorByName("jetmon.monitor.v1.UpdateSiteRequest")
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(site.(protoreflect.MessageDescriptor))
	inner := m.Mutable(m.Descriptor().Fields().ByName("site")).Message()
	fields := inner.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Message() != nil {
			inner.Mutable(fd)
		} else if fd.IsList() {
			inner.Mutable(fd).List().Append(protoreflect.ValueOfString("x"))
		} else if fd.Kind() == protoreflect.StringKind {
			inner.Set(fd, protoreflect.ValueOfString(strings.Repeat("x", 1000)))
		} else if fd.Kind() == protoreflect.Int64Kind {
			inner.Set(fd, protoreflect.ValueOfInt64(7))
		}
	}
	if found := all[m.Descriptor().FullName()].fit(m); len(found) > 0 {
		t.Error(found)
	}
	var left []string
	inner.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		left = append(left, string(fd.Name()))
		return true
	})
	slices.Sort(left)
	if want := []string{"blog_id", "check_interval", "etag", "settings", "site_id", "tags", "url"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// hostile are encodings that cost much, for any message.
func hostile() map[string][]byte {
	fill := func(unit []byte) []byte { return slices.Repeat(unit, maxUnaryBytes/len(unit)) }
	all := map[string][]byte{
		"zeros":           make([]byte, maxUnaryBytes),
		"one byte more":   make([]byte, maxUnaryBytes+1),
		"groups in depth": fill(protowire.AppendTag(nil, 9, protowire.StartGroupType)),
		"unknown numbers": fill(append(protowire.AppendTag(nil, 500, protowire.VarintType), 1)),
		"no UTF-8":        append(protowire.AppendTag(nil, 1, protowire.BytesType), 2, 0xff, 0xfe),
		"cut short":       append(protowire.AppendTag(nil, 1, protowire.BytesType), 200),
	}
	for number := protowire.Number(1); number <= 19; number++ {
		name := " of field " + string(rune('a'+number))
		all["empty values"+name] = fill(append(protowire.AppendTag(nil, number, protowire.BytesType), 0))
		all["one packed list"+name] = protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), make([]byte, maxUnaryBytes-10))
		for inner := protowire.Number(1); inner <= 14; inner++ {
			body := slices.Repeat(append(protowire.AppendTag(nil, inner, protowire.BytesType), 0), maxUnaryBytes/2-10)
			all["empty values inside"+name+string(rune('a'+inner))] = protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
		}
	}
	return all
}

// It runs alone, since it counts what is allocated.
func TestNoRequestCostsManyTimesItsSize(t *testing.T) {
	v, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	bodies := hostile()
	for _, m := range unaryMethods(t) {
		if _, err := v.shapes.add(m.Input()); err != nil {
			t.Fatal(err)
		}
		_ = v.check(dynamicpb.NewMessage(m.Input())) // builds the rules
		for name, body := range bodies {
			f := &frame{size: len(body)}
			if len(body) <= maxUnaryBytes {
				f.bytes = body
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			req := dynamicpb.NewMessage(m.Input())
			err := f.decode(req)
			if err == nil {
				err = v.check(req)
			}
			runtime.ReadMemStats(&after)
			if cost := after.TotalAlloc - before.TotalAlloc; cost > 16*maxUnaryBytes {
				t.Errorf("%s of %s allocates %d KiB: %.200v", name, m.FullName(), cost>>10, err)
			}
			if err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s of %s: %v", name, m.FullName(), err)
			}
		}
	}
}
