package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/Automattic/jetmon/internal/fault"
)

// shaveDeadline ends the handler's context a little before the caller's deadline, so
// that the answer arrives before the caller gives up. It gives a call without a deadline
// the default one. NewServer installs it.
func shaveDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	left := defaultDeadline
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
		left -= min(left/shaveShare, maxShave)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return handle(ctx, req)
}

// guard is the outermost interceptor. Whatever happens inside, the caller gets a status,
// the log a line and the metrics a count.
type guard struct {
	log     *slog.Logger
	metrics *serverMetrics
}

func (g guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (reply any, err error) {
	ctx = entered(ctx)
	done := g.metrics.begin(info.FullMethod)
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			reply, err = nil, g.panicked(ctx, info.FullMethod, r)
		}
		err = g.end(ctx, info.FullMethod, start, err)
		done(status.Code(err))
	}()
	return handle(ctx, req)
}

func (g guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ss = newRequestStream(ss, info.FullMethod)
	done := g.metrics.begin(info.FullMethod)
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			err = g.panicked(ss.Context(), info.FullMethod, r)
		}
		err = g.end(ss.Context(), info.FullMethod, start, err)
		done(status.Code(err))
	}()
	return handle(srv, ss)
}

func (g guard) panicked(ctx context.Context, method string, r any) error {
	g.log.ErrorContext(ctx, "handler panicked", "method", method, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	return fault.New(fault.Internal, "panic: %v", r)
}

// end converts err to the status for the caller. It logs internal errors and gives the
// caller only a reference to the log, because their text may contain private data.
func (g guard) end(ctx context.Context, method string, start time.Time, err error) error {
	s := fault.Status(err)
	if c := s.Code(); c == codes.Internal || c == codes.DataLoss {
		reference := fmt.Sprintf("%08x", rand.Uint32())
		g.log.ErrorContext(ctx, "internal error", "method", method, "reference", reference, "error", err)
		s = status.Newf(c, "internal error; the server's log has more under reference %s", reference)
	}
	if fault.InsteadOf(err) != "" {
		g.log.InfoContext(ctx, "call failed", "method", method, "error", err)
	}
	if g.log.Enabled(ctx, slog.LevelDebug) {
		g.log.DebugContext(ctx, "call", "method", method, "code", s.Code().String(),
			"took", time.Since(start), "peer", peerOf(ctx), "message", s.Message())
	}
	return Named(shorten(s), RequestID(ctx)).Err()
}

// shortMethod refuses a call whose method has a longer name than any, before gRPC does so
// in words that repeat it.
func shortMethod(ctx context.Context, call *tap.Info) (context.Context, error) {
	if len(call.FullMethodName) > maxMethodBytes {
		return ctx, status.Errorf(codes.Unimplemented, "unknown method, with a name of %d bytes", len(call.FullMethodName))
	}
	return ctx, nil
}

func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}
