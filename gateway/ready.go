package gateway

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/fault"
)

// unready is the reason why a gateway cannot work.
type unready struct {
	why   string // for everybody
	cause error  // for operators, as it may contain addresses; may be nil
}

// Error returns the whole reason, for operators.
func (u *unready) Error() string {
	if u.cause == nil {
		return u.why
	}
	return u.why + ": " + u.cause.Error()
}

func (u *unready) Unwrap() error { return u.cause }

// Ready returns the reason why the gateway cannot work now. It returns nil when a
// coordinator is ready. It asks one coordinator and waits at most two seconds.
func (g *Gateway) Ready() error {
	if u := g.unready(context.Background()); u != nil {
		return u
	}
	return nil
}

func (g *Gateway) unready(ctx context.Context) *unready {
	conn := g.coordinators.Load()
	if conn == nil {
		return &unready{why: "the gateway has not begun"}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	switch {
	case err != nil && !conn.Connected():
		return &unready{unreachable, err}
	case fault.Status(err).Code() == codes.DeadlineExceeded:
		return &unready{"the coordinator did not say in time whether it is ready", err}
	case err != nil:
		return &unready{"the coordinator does not say whether it is ready", err}
	case health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		return &unready{why: "no coordinator is ready"}
	}
	return nil
}
