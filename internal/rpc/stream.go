package rpc

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/Automattic/jetmon/internal/fault"
)

// requestStream is a stream with the context of its request, and with errors that say whose
// they are: gRPC would answer a message that it cannot decode with INTERNAL.
type requestStream struct {
	grpc.ServerStream
	ctx   context.Context
	codec codec
	held  held
	// most bounds the bytes of a message; 0: gRPC's own bound does.
	most int
}

// held is a message as it arrived.
type held struct{ data mem.BufferSlice }

// newRequestStream returns the stream of a method. A message of the public API may be as large
// as a request of it; one between roles may be larger.
func newRequestStream(ss grpc.ServerStream, method string) *requestStream {
	s := &requestStream{ServerStream: ss, ctx: entered(ss.Context()), codec: newCodec()}
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if m, ok := d.(protoreflect.MethodDescriptor); err == nil && ok && isPublic(m) {
		s.most = maxUnaryBytes
	}
	return s
}

// Context returns the context of the request.
func (s *requestStream) Context() context.Context { return s.ctx }

// RecvMsg receives a message and decodes it.
func (s *requestStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(&s.held); err != nil {
		return err
	}
	data := s.held.data
	s.held.data = nil
	defer data.Free()
	if data.Len() == len(unzippable) {
		if err := checkUnzipped(data.Materialize()); err != nil {
			return err
		}
	}
	if s.most > 0 && data.Len() > s.most {
		return fault.New(fault.Invalid, "a message must be at most %d bytes, this one has %d", s.most, data.Len())
	}
	if err := s.codec.Unmarshal(data, m); err != nil {
		return malformed(data, m, err)
	}
	return nil
}

// malformed says what is wrong with a message of a stream.
func malformed(data mem.BufferSlice, m any, err error) error {
	p, ok := m.(proto.Message)
	if !ok {
		return fault.New(fault.Invalid, "the request is malformed: %w", err)
	}
	d := p.ProtoReflect().Descriptor()
	if field := garbled(data.Materialize(), d); field != "" {
		return fault.InvalidField(field, "must be UTF-8")
	}
	return fault.New(fault.Invalid, "the request is no %s: %w", d.FullName(), err)
}
