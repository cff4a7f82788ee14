package rpc_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/rpc"
)

// asked calls Verify with an id, or without one for "", and returns what the caller reads
// of it: in the header and in the error, if there is one.
func (r *running) asked(t *testing.T, id string) (header, detail string) {
	t.Helper()
	ctx := t.Context()
	if id != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", id)
	}
	var md metadata.MD
	_, err := r.verify(ctx, grpc.Header(&md))
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RequestInfo); ok {
			detail = info.GetRequestId()
		}
	}
	if got := md.Get("x-request-id"); len(got) == 1 {
		header = got[0]
	}
	return header, detail
}

func TestARequestHasOneIDThroughAllServers(t *testing.T) {
	t.Parallel()
	var out, farther lines
	answer := errors.New("broken")
	far := run(t, &service{verify: func(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return nil, answer
	}}, rpc.ServerOptions{Log: obs.NewLogger(&farther, slog.LevelDebug, "text")}, rpc.ClientOptions{})
	near := run(t, &service{verify: func(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		_, err := far.verify(ctx)
		return nil, fault.New(fault.Unavailable, "%w", err)
	}}, rpc.ServerOptions{Log: obs.NewLogger(&out, slog.LevelDebug, "text")}, rpc.ClientOptions{})
	header, detail := near.asked(t, "order-66/a:b")
	if header != "order-66/a:b" || detail != header {
		t.Errorf("answered %q, in the error %q", header, detail)
	}
	for name, log := range map[string]string{"near": out.String(), "far": farther.String()} {
		for line := range strings.Lines(log) {
			if !strings.Contains(line, "request_id=order-66/a:b") {
				t.Errorf("%s: a line without the request's id: %s", name, line)
			}
		}
		if log == "" {
			t.Errorf("%s: nothing was logged", name)
		}
	}
}

func TestARequestWithoutAGoodIDGetsOne(t *testing.T) {
	t.Parallel()
	var seen string
	r := run(t, &service{verify: func(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		seen = rpc.RequestID(ctx)
		return &veriflierv1.VerifyResponse{}, nil
	}}, rpc.ServerOptions{}, rpc.ClientOptions{})
	made := map[string]bool{}
	for name, id := range map[string]string{
		"none": "", "one with a blank": "a b", "one that is too long": strings.Repeat("x", 129), "a blank": " ",
	} {
		got, _ := r.asked(t, id)
		if got == "" || got == id || got != seen || len(got) > 128 || made[got] {
			t.Errorf("%s: answered %q, the handler has %q", name, got, seen)
		}
		made[got] = true
	}
	long := strings.Repeat("x", 128)
	if got, _ := r.asked(t, long); got != long || seen != long {
		t.Errorf("the longest: answered %q", got)
	}
	if id := rpc.RequestID(t.Context()); id != "" {
		t.Errorf("outside of a request: %q", id)
	}
}

func TestAStreamHasAnIDToo(t *testing.T) {
	t.Parallel()
	var seen string
	r := run(t, &service{stream: func(s coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
		seen = rpc.RequestID(s.Context())
		return fault.New(fault.Conflict, "no")
	}}, rpc.ServerOptions{}, rpc.ClientOptions{})
	stream, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(rpc.WithRequestID(t.Context(), "of-a-stream"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	if seen != "of-a-stream" || !rpc.IsNamed(status.Convert(err)) {
		t.Errorf("the handler has %q; %v %v", seen, err, status.Convert(err).Details())
	}
	if md, err := stream.Header(); err != nil || len(md.Get("x-request-id")) != 1 {
		t.Errorf("header: %v %v", md, err)
	}
}

func TestWhatGRPCSaysOfAConnectionIsForTheLogOnly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	conn, err := rpc.Dial(addr, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = (&caller{conn}).verify(t.Context())
	if s := fault.Status(err); s.Code() != codes.Unavailable || strings.Contains(s.Message(), addr) || s.Message() == "" {
		t.Errorf("callers read %v", s)
	}
	if !strings.Contains(err.Error(), addr) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("the log has %v", err)
	}
	if why := rpc.Cause(err); !strings.Contains(why, addr) || strings.Contains(why, "rpc error") {
		t.Errorf("an operator reads %q", why)
	}
}
