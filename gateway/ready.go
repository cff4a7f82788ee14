package gateway

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/fault"
)

// unready is why a gateway cannot do its work.
type unready struct {
	why   string // for everybody
	cause error  // for operators: it may name addresses; may be nil
}

// Error is all of it, for operators.
func (u *unready) Error() string {
	if u.cause == nil {
		return u.why
	}
	return u.why + ": " + u.cause.Error()
}

func (u *unready) Unwrap() error { return u.cause }

// Ready says why the gateway cannot do its work now; nil when it can, that is when a
// coordinator is ready. It asks one, for two seconds at most.
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
