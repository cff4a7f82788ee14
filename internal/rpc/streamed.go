package rpc

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/fault"
)

// streamed is where a stream's request goes, with the reason when it is none. gRPC itself
// would tell the caller of an internal error.
type streamed struct {
	to  any
	bad error
}

// decode decodes a message, and keeps what is wrong with it.
func (s *streamed) decode(c encoding.CodecV2, data mem.BufferSlice) {
	s.bad = c.Unmarshal(data, s.to)
	m, ok := s.to.(proto.Message)
	if s.bad == nil || !ok {
		return
	}
	d := m.ProtoReflect().Descriptor()
	if field := garbled(data.Materialize(), d); field != "" {
		s.bad = fault.InvalidField(field, "must be UTF-8")
		return
	}
	s.bad = fault.New(fault.Invalid, "the request is no %s: %w", d.FullName(), s.bad)
}

// requests is a server's stream whose caller is told of a request that is none as of a
// mistake of its own.
type requests struct {
	grpc.ServerStream
	next streamed
}

// RecvMsg implements grpc.ServerStream.
func (r *requests) RecvMsg(m any) error {
	r.next = streamed{to: m}
	if err := r.ServerStream.RecvMsg(&r.next); err != nil {
		return err
	}
	return r.next.bad
}

// readRequests is the interceptor that has a stream's requests read so.
func readRequests(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, &requests{ServerStream: ss})
}
