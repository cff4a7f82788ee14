package gateway

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/rpc"
)

// What gRPC says of connections is for the log; what a coordinator says is for the client.
func TestAClientIsToldNothingOfOurConnections(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled, codes.DeadlineExceeded} {
		err := status.Error(code, `error reading from 10.0.0.1:7800: received prior goaway: code: NO_ERROR, debug data: "graceful_stop"`)
		if s, ours := told(err); !ours || s.Code() != code || s.Message() == status.Convert(err).Message() {
			t.Errorf("%v: %v", code, s)
		}
		named := rpc.Named(status.Convert(err), "an-id")
		if s, ours := told(named.Err()); ours || s.Message() != named.Message() {
			t.Errorf("%v of a coordinator: %v", code, s)
		}
	}
}
