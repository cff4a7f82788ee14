package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// askTimeout limits the time of one command's calls to a coordinator.
const askTimeout = 10 * time.Second

// Client calls a coordinator and prints its answers.
type Client struct {
	// Conn is the connection to the coordinator at Address, which is for error messages.
	Conn    grpc.ClientConnInterface
	Address string
	Out     io.Writer
	// JSON prints answers as the REST API does, instead of as text.
	JSON bool
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
	case codes.NotFound, codes.FailedPrecondition:
		return errors.New(s.Message())
	}
	hint := ""
	if c.Plain && s.Code() == codes.Unavailable && !rpc.IsNamed(s) {
		hint = "; if it has certificates, ask it with --coordinator-tls-ca FILE"
	}
	return fmt.Errorf("the coordinator at %s: %s (%s)%s", c.Address, rpc.Cause(err), s.Code(), hint)
}

// show prints an answer as JSON or as text.
func (c Client) show(answer proto.Message, words func(io.Writer) error) error {
	if c.JSON {
		return format.JSON(c.Out, answer)
	}
	return words(c.Out)
}

// pageSize is the number of rows per request, the API's maximum.
const pageSize = 1000

// list fetches page after page until there are limit rows or no more; 0 means no limit.
// next is not empty when there are more.
func list[T any](limit int, page func(size int32, token string) ([]T, string, error)) (all []T, next string, err error) {
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		var rows []T
		if rows, next, err = page(int32(size), next); err != nil {
			return nil, "", err
		}
		if all = append(all, rows...); next == "" || limit > 0 && len(all) >= limit {
			return all, next, nil
		}
	}
}
