package rpc

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/fault"
)

// streamed is where a stream's request goes, with the reason when it is none. gRPC itself
// would tell the caller of an internal error.
type streamed struct {
	to  any
	bad error
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
	if err := r.ServerStream.RecvMsg(&r.next); err != nil || r.next.bad == nil {
		return err
	}
	name := "message"
	if m, ok := m.(proto.Message); ok {
		name = string(m.ProtoReflect().Descriptor().FullName())
	}
	return fault.New(fault.Invalid, "the request is no %s: %w", name, r.next.bad)
}

// readRequests is the interceptor that has a stream's requests read so.
func readRequests(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, &requests{ServerStream: ss})
}
