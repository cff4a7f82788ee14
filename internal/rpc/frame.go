package rpc

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/fault"
)

// frame is a unary request as it arrived. It becomes a message once its caller is known
// to be welcome, and its size to be: a message can take many times the memory of its
// frame.
type frame struct {
	size  int
	bytes []byte // nil when there are too many
}

type frameKey struct{}

// codec is gRPC's own for protobuf, which puts frames aside.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(encodingproto.Name)} }

// Unmarshal keeps a frame, or a message of a stream that is decoded later.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if h, ok := v.(*held); ok {
		data.Ref()
		h.data = data
		return nil
	}
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if f.size = data.Len(); f.size <= maxUnaryBytes {
		f.bytes = data.Materialize()
	}
	return nil
}

// Encoded is a message that is encoded already, in parts one after the other, which many
// streams may share. A handler sends it with SendMsg; nobody changes it any more.
type Encoded [][]byte

// Marshal encodes a message, or takes one as it is.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	parts, ok := v.(Encoded)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	out := make(mem.BufferSlice, len(parts))
	for i, part := range parts {
		out[i] = mem.SliceBuffer(part) // which is never put into a pool
	}
	return out, nil
}

// framing is a registrar whose unary methods hand their frame to the interceptors, with
// a message that is still empty.
type framing struct {
	grpc.ServiceRegistrar
	// added is told of each service.
	added func(*grpc.ServiceDesc)
}

// RegisterService registers a service with its methods wrapped.
func (r framing) RegisterService(desc *grpc.ServiceDesc, server any) {
	r.added(desc)
	wrapped := *desc
	wrapped.Methods = slices.Clone(desc.Methods)
	for i, m := range desc.Methods {
		wrapped.Methods[i].Handler = func(server any, ctx context.Context, receive func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			f := new(frame)
			if err := receive(f); err != nil {
				return nil, err // which gRPC has sent already
			}
			return m.Handler(server, context.WithValue(ctx, frameKey{}, f), func(any) error { return nil }, chain)
		}
	}
	r.ServiceRegistrar.RegisterService(&wrapped, server)
}

// unframe is the interceptor that decodes the frame of a request into its message.
func unframe(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	f, isFrame := ctx.Value(frameKey{}).(*frame)
	m, isMessage := req.(proto.Message)
	if isFrame && isMessage {
		if err := f.decode(m); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

func (f *frame) decode(m proto.Message) error {
	if f.size > maxUnaryBytes {
		return fault.New(fault.Invalid, "the request must be at most %d bytes, has %d", maxUnaryBytes, f.size)
	}
	if err := checkUnzipped(f.bytes); err != nil {
		return err
	}
	d := m.ProtoReflect().Descriptor()
	values := maxValues
	if field := crowded(f.bytes, d, &values); field != "" {
		return fault.InvalidField(field, "has too many values: a request may have %d in all", maxValues)
	}
	if err := proto.Unmarshal(f.bytes, m); err != nil {
		if field := garbled(f.bytes, d); field != "" {
			return fault.InvalidField(field, "must be UTF-8")
		}
		return fault.New(fault.Invalid, "the request is no %s: %w", d.FullName(), err)
	}
	return nil
}

// wireField is a field of an encoded message.
type wireField struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte
}

// fieldsOf iterates over the fields of an encoded message, up to what is not well formed.
func fieldsOf(b []byte) iter.Seq[wireField] {
	return func(yield func(wireField) bool) {
		for len(b) > 0 {
			number, kind, n := protowire.ConsumeTag(b)
			if n < 0 {
				return
			}
			b = b[n:]
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 || !yield(wireField{number, kind, b[:n]}) {
				return
			}
			b = b[n:]
		}
	}
}

// crowded takes the values of an encoded message from those that are left, and answers
// the path of the field at which none is left. What is not well formed it leaves to the
// decoder.
func crowded(b []byte, m protoreflect.MessageDescriptor, left *int) string {
	for f := range fieldsOf(b) {
		*left--
		fd := m.Fields().ByNumber(f.number)
		if fd == nil {
			if *left < 0 {
				return fmt.Sprint(f.number)
			}
			continue
		}
		name := string(fd.Name())
		if f.kind == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(f.value)
			switch {
			case fd.Message() != nil:
				if field := crowded(inner, fd.Message(), left); field != "" {
					return name + "." + field
				}
			case fd.IsList() && fd.Kind() != protoreflect.StringKind && fd.Kind() != protoreflect.BytesKind:
				*left -= packed(inner, fd.Kind())
			}
		}
		if *left < 0 {
			return name
		}
	}
	return ""
}

// packed is how many numbers of a kind the bytes of a packed list hold, at most.
func packed(b []byte, kind protoreflect.Kind) (n int) {
	switch kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return len(b) / 4
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return len(b) / 8
	}
	for _, c := range b {
		if c < 0x80 { // the last byte of a number
			n++
		}
	}
	return n
}
