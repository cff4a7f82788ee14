package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// askTimeout limits the time of one call to a coordinator.
const askTimeout = 10 * time.Second

// Output is the form of what a command prints.
type Output string

// The forms of output.
const (
	// Text is for people: tables and sentences.
	Text Output = "table"
	// JSON is one document, as the REST API answers.
	JSON Output = "json"
	// NDJSON is a line of JSON for each row.
	NDJSON Output = "ndjson"
)

// Client calls a coordinator and prints its answers.
type Client struct {
	// Conn is the connection to the coordinator at Address, which is for error messages.
	Conn    grpc.ClientConnInterface
	Address string
	Out     io.Writer
	// Err takes what is not the answer: refusals of single rows, and progress.
	Err io.Writer
	// Output is the form of the answers; empty means Text.
	Output Output
	// Width is how many cells a line of Out has room for; 0 means any number.
	Width int
	// Plain means that Conn has no TLS, which a coordinator with certificates cuts off.
	Plain bool
}

// explain converts a coordinator's refusal to an error for people.
func (c Client) explain(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	switch s.Code() {
	case codes.InvalidArgument:
		return fault.New(fault.Invalid, "%s", s.Message())
	case codes.NotFound, codes.FailedPrecondition, codes.AlreadyExists, codes.Aborted:
		return errors.New(s.Message())
	case codes.Canceled:
		return Interrupt("interrupted")
	case codes.Unimplemented:
		return fmt.Errorf("the coordinator at %s is too old for this command: %s", c.Address, s.Message())
	case codes.Unauthenticated:
		return fmt.Errorf("the coordinator at %s: %s (%s); --coordinator-token-file FILE, or jetmon context set NAME --token-file FILE, sends a token",
			c.Address, s.Message(), s.Code())
	}
	if s.Code() == codes.Unavailable && !rpc.IsNamed(s) {
		hint := "; --server HOST:PORT or --context NAME asks another"
		if c.Plain {
			hint += "; if it has certificates, ask it with --coordinator-tls-ca FILE"
		}
		return fmt.Errorf("the coordinator at %s cannot be reached: %s%s", c.Address, unwrapped(rpc.Cause(err)), hint)
	}
	return fmt.Errorf("the coordinator at %s: %s (%s)", c.Address, rpc.Cause(err), s.Code())
}

// unwrapped cuts what gRPC puts around the reason why there is no connection.
func unwrapped(text string) string {
	if quoted, ok := strings.CutPrefix(text, "connection error: desc = "); ok {
		if inner, err := strconv.Unquote(quoted); err == nil {
			text = strings.TrimPrefix(inner, "transport: ")
		}
	}
	return strings.TrimPrefix(text, "Error while dialing: ")
}

// show prints an answer as JSON or as text.
func (c Client) show(answer proto.Message, words func(io.Writer) error) error {
	switch c.Output {
	case JSON:
		return format.JSON(c.Out, answer)
	case NDJSON:
		return format.JSONLine(c.Out, answer)
	}
	return words(c.Out)
}

// patience are the pauses before an attempt is repeated.
var patience = [...]time.Duration{200 * time.Millisecond, 800 * time.Millisecond}

// call makes a call that may be repeated without harm, and repeats it when the coordinator is
// unavailable.
func call[Request, Response any](ctx context.Context, req Request, method func(context.Context, Request, ...grpc.CallOption) (Response, error)) (resp Response, err error) {
	for attempt := 0; ; attempt++ {
		resp, err = once(ctx, askTimeout, req, method)
		if attempt == len(patience) || status.Code(err) != codes.Unavailable || !sleep(ctx, patience[attempt]) {
			return resp, err
		}
	}
}

// once makes a call.
func once[Request, Response any](ctx context.Context, limit time.Duration, req Request, method func(context.Context, Request, ...grpc.CallOption) (Response, error)) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return method(ctx, req)
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
