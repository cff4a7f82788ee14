package stream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestAStreamThatSaysNoHelloEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := openOn(t, rpc.NewMemory(), "coordinator")
		start := time.Now()
		st, err := coordinatorv1.NewAssignmentServiceClient(h.conn).StreamAssignments(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = st.Recv()
		if took := time.Since(start); status.Code(err) != codes.InvalidArgument || took < cadence.HelloWithin || took > cadence.HelloWithin+time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
