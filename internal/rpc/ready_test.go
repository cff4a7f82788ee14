package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	serving    = grpc_health_v1.HealthCheckResponse_SERVING
	notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
)

// wantHealth checks the health of the server as a whole and of each service.
func wantHealth(t *testing.T, r *running, when string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	for _, name := range []string{"", "jetmon.veriflier.v1.VeriflierService", "jetmon.coordinator.v1.AssignmentService"} {
		got, err := grpc_health_v1.NewHealthClient(r).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || got.GetStatus() != want {
			t.Errorf("%s the health of %q is %v, %v, want %v", when, name, got.GetStatus(), err, want)
		}
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var why atomic.Pointer[error]
		notReady := func(text string) {
			err := errors.New(text)
			why.Store(&err)
		}
		notReady("nothing is loaded")
		var log lines
		r := run(t, &service{}, rpc.ServerOptions{Log: log.logger(), Ready: func() error {
			if err := why.Load(); err != nil {
				return *err
			}
			return nil
		}}, rpc.ClientOptions{})
		// The server calls Ready once in this time; Wait lets a call of this very moment end.
		look := func() {
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
		}
		synctest.Wait()
		wantHealth(t, r, "at first", notServing)
		for range 2 {
			why.Store(nil)
			look()
			wantHealth(t, r, "ready", serving)
			notReady("the database is away")
			look()
			notReady("the database is away for long")
			look()
			wantHealth(t, r, "not ready again", notServing)
		}
		if text := log.String(); strings.Count(text, `level=INFO msg="not ready" server=test error="nothing is loaded"`) != 1 ||
			strings.Count(text, `level=WARN msg="not ready" server=test error="the database is away"`) != 2 ||
			strings.Count(text, "for long") != 0 || strings.Count(text, "level=INFO msg=ready") != 2 {
			t.Errorf("the log does not have each turn once:\n%s", text)
		}
		if _, err := r.verify(context.Background()); err != nil {
			t.Errorf("a call to a server that is not ready: %v", err)
		}
	})
}

func TestAServerWithoutReadinessServesFromTheBeginning(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	wantHealth(t, r, "from the beginning", serving)
	_, err := grpc_health_v1.NewHealthClient(r).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "no.such.Service"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("health of an unknown service: %v", err)
	}
}
