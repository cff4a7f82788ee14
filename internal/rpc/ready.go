package rpc

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// readyEvery is the time between two calls of ServerOptions.Ready.
const readyEvery = 250 * time.Millisecond

// readiness updates the health of a server from ServerOptions.Ready.
type readiness struct {
	server *Server
	looked bool // look has run at least once
	ready  bool // the result of the last look
}

// watch calls look until ctx ends.
func (r *readiness) watch(ctx context.Context) {
	if r.server.ready == nil {
		return
	}
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.look()
		}
	}
}

// look calls Ready; when the result has changed, it updates the health and logs that. A
// server that is not ready at its start is no reason for a warning.
func (r *readiness) look() {
	var err error
	if r.server.ready != nil {
		err = r.server.ready()
	}
	first, ready := !r.looked, err == nil
	if !first && ready == r.ready {
		return
	}
	r.looked, r.ready = true, ready
	log := r.server.log.With("server", r.server.name)
	switch {
	case !ready:
		r.server.setHealth(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		level := slog.LevelWarn
		if first {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, "not ready", "error", err)
	default:
		r.server.setHealth(grpc_health_v1.HealthCheckResponse_SERVING)
		if !first {
			log.Info("ready")
		}
	}
}

// setHealth sets the health of each service and of the server as a whole.
func (s *Server) setHealth(status grpc_health_v1.HealthCheckResponse_ServingStatus) {
	for _, name := range s.services {
		s.health.SetServingStatus(name, status)
	}
}
