package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

// arrivals bound unary calls from their first byte on, so that a caller who never sends its
// request keeps nothing. Handlers begin only when the request is there.
type arrivals struct {
	// unary has the full names of the methods.
	unary map[string]bool
}

// add is told of each service before the server serves.
func (a arrivals) add(desc *grpc.ServiceDesc) {
	for _, m := range desc.Methods {
		a.unary["/"+desc.ServiceName+"/"+m.MethodName] = true
	}
}

// begin is what gRPC calls when the head of a call has arrived.
func (a arrivals) begin(ctx context.Context, call *tap.Info) (context.Context, error) {
	ctx, err := shortMethod(ctx, call)
	if err != nil || !a.unary[call.FullMethodName] {
		return ctx, err
	}
	left := defaultDeadline
	if _, ok := ctx.Deadline(); ok {
		left = maxDeadline
	}
	bounded, cancel := context.WithTimeout(ctx, left)
	context.AfterFunc(ctx, cancel) // gRPC ends ctx with the call
	return bounded, nil
}

// maxDeadline bounds a unary call whatever its caller allows. None takes as long.
const maxDeadline = time.Hour
