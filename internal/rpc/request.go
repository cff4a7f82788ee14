package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
)

// requestHeader is the metadata, and the HTTP header, with the id of a request.
const requestHeader = "x-request-id"

// maxRequestID bounds the id of a request, in bytes.
const maxRequestID = 128

// RequestID returns the id of the request that ctx belongs to: what the first caller said,
// or else what the first server of ours made. It is empty outside of a request. It names a
// request in logs, answers and records, and is no secret and no proof of anything.
func RequestID(ctx context.Context) string { return obs.RequestOf(ctx) }

// WithRequestID returns a context of the request with an id: the one that its caller gave,
// if it is 1 to 128 printable characters of ASCII without spaces, or else a new one. Calls
// made with it carry the id.
func WithRequestID(ctx context.Context, given string) context.Context {
	if !isRequestID(given) {
		given = rand.Text()
	}
	return obs.WithRequest(ctx, given)
}

func isRequestID(id string) bool {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

// entered returns the context of a call that has arrived, with its request's id, which the
// caller reads in the header of the answer.
func entered(ctx context.Context) context.Context {
	given := ""
	if values := metadata.ValueFromIncomingContext(ctx, requestHeader); len(values) > 0 {
		given = values[0]
	}
	ctx = WithRequestID(ctx, given)
	// It fails only for a call that has been answered, and this one has just begun.
	_ = grpc.SetHeader(ctx, metadata.Pairs(requestHeader, RequestID(ctx)))
	return ctx
}

// leaving returns the context of a call that is made for a request.
func leaving(ctx context.Context) context.Context {
	id := RequestID(ctx)
	if id == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, requestHeader, id)
}

// Named returns an error's status with the id of the request in its details
// (google.rpc.RequestInfo), unless it has one.
func Named(s *status.Status, id string) *status.Status {
	p := s.Proto()
	if p == nil || p.GetCode() == 0 || id == "" || IsNamed(s) {
		return s
	}
	if a, err := anypb.New(&errdetails.RequestInfo{RequestId: id}); err == nil {
		p.Details = append(p.Details, a)
	}
	return status.FromProto(p)
}

// IsNamed says whether an error's status has the id of a request, as every error has that a
// server of NewServer answers. One that has none was made on the way.
func IsNamed(s *status.Status) bool {
	return slices.ContainsFunc(s.Proto().GetDetails(), func(packed *anypb.Any) bool {
		return packed.MessageIs((*errdetails.RequestInfo)(nil))
	})
}

// nameCall makes a call for the request of its context.
func nameCall(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(leaving(ctx), method, req, reply, cc, opts...)
	if s := status.Convert(err); s.Code() == codes.Unavailable && !IsNamed(s) {
		// What no server said is gRPC's, and full of addresses.
		return fault.New(fault.Unavailable, "%w", err).Hidden("the server cannot be reached")
	}
	return err
}

// Cause returns for an operator why a call failed, in gRPC's words, with the addresses that
// are hidden from callers.
func Cause(err error) string {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, ours := e.(*fault.Error); ours {
			continue
		}
		if s, ok := e.(interface{ GRPCStatus() *status.Status }); ok {
			return s.GRPCStatus().Message()
		}
	}
	return fault.Status(err).Message()
}

// nameStream opens a stream for the request of its context.
func nameStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(leaving(ctx), desc, cc, method, opts...)
}
