package peers

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// askedAtOnce bounds the peers that Silent asks at the same time.
const askedAtOnce = 16

// Silence is a peer that does not answer, or another node that answers in its place.
type Silence struct {
	Peer
	// Since is when it stopped answering, zero when not known; Detail is the error.
	Since  time.Time
	Detail string
}

// HealthName returns the service name under which a coordinator's health service answers
// for a node; asking for it tells whether that node is at the endpoint.
func HealthName(node string) string { return "jetmon.node/" + node }

// Silent asks all peers for a sign of life, within ctx, and returns those that gave none.
func (p *Peers) Silent(ctx context.Context) []Silence {
	all := p.named(p.o.Shards.Directory())
	var mu sync.Mutex
	var out []Silence
	var asking errgroup.Group
	asking.SetLimit(askedAtOnce)
	for _, peer := range all {
		asking.Go(func() error {
			if s, silent := p.silence(ctx, peer); silent {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, s)
			}
			return nil
		})
	}
	_ = asking.Wait() // never fails
	return out
}

func (p *Peers) silence(ctx context.Context, peer Peer) (Silence, bool) {
	err := p.Ask(ctx, peer, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: HealthName(peer.Node)})
		return err
	})
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return Silence{}, false
	case fault.Status(err).Code() == codes.NotFound:
		return Silence{Peer: peer, Detail: "another node answers at its endpoint"}, true
	case err != nil && Unanswered(err):
		return Silence{Peer: peer, Since: p.FailingSince(peer.Node), Detail: rpc.Cause(err)}, true
	}
	return Silence{}, false
}
