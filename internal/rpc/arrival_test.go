package rpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestACallWhoseRequestNeverComesEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ given, want time.Duration }{
		"without a deadline":     {0, 30 * time.Second},
		"with one of two hours":  {2 * time.Hour, time.Hour},
		"with a deadline of 10s": {10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(3*time.Hour, cancel) // for a call that would never end
				if tt.given > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.given)
					defer cancel()
				}
				begin := time.Now()
				st, err := r.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, veriflierv1.VeriflierService_Verify_FullMethodName)
				if err != nil {
					t.Fatal(err)
				}
				err = st.RecvMsg(new(veriflierv1.VerifyResponse))
				if took := time.Since(begin); status.Code(err) != codes.DeadlineExceeded || took < tt.want || took > tt.want+time.Second {
					t.Errorf("%v after %s, want %s", err, took, tt.want)
				}
			})
		})
	}
}

// A stream has no deadline: a checker's session lasts for days.
func TestAStreamHasNoDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{stream: func(st coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
			_, err := st.Recv()
			return err
		}}
		r := run(t, s, rpc.ServerOptions{}, rpc.ClientOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		begin := time.Now()
		st, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Recv(); time.Since(begin) < 3*time.Hour {
			t.Errorf("it ended after %s: %v", time.Since(begin), err)
		}
	})
}
