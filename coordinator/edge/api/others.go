package api

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	// peerTimeout bounds the answer of one peer; askedAtOnce bounds the peers that are asked
	// at the same time.
	peerTimeout = time.Second
	askedAtOnce = 16
)

// others adds the owners of all shards and the state of the other coordinators. It returns
// their alarms.
func (s *fleet) others(ctx context.Context, f *monitorv1.Fleet) []alarm.Alarm {
	// While the store is away the leases are unknown, and Shards stays empty.
	if shards, err := s.o.Peers.Shards(ctx); err == nil {
		f.Shards = shardsToProto(shards)
	}
	all := s.o.Peers.Others(ctx)
	f.Peers = make([]*monitorv1.PeerStatus, len(all))
	alarms := make([][]alarm.Alarm, len(all))
	var asking errgroup.Group
	asking.SetLimit(askedAtOnce)
	for i, peer := range all {
		asking.Go(func() error {
			f.Peers[i], alarms[i] = s.ask(ctx, peer)
			return nil
		})
	}
	_ = asking.Wait() // never fails
	return slices.Concat(alarms...)
}

// ask asks a peer for its state and its alarms. When it does not answer, the watchdog raises
// an alarm about that.
func (s *fleet) ask(ctx context.Context, peer peers.Peer) (*monitorv1.PeerStatus, []alarm.Alarm) {
	ctx, cancel := within(ctx, peerTimeout)
	defer cancel()
	status := &monitorv1.PeerStatus{Node: peer.Node, Endpoint: peer.Endpoint}
	var resp *monitorv1.GetFleetResponse
	err := s.o.Peers.Ask(ctx, peer, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = monitorv1.NewFleetServiceClient(conn).GetFleet(ctx, &monitorv1.GetFleetRequest{})
		return err
	})
	if err == nil && resp.GetFleet().GetCoordinator().GetNode() != peer.Node {
		err = fault.New(fault.Unavailable, "another node, %q, answers at its endpoint", resp.GetFleet().GetCoordinator().GetNode())
	}
	if err != nil {
		status.Detail = rpc.Cause(err)
		return status, nil
	}
	status.Status = resp.GetFleet().GetCoordinator()
	status.Checkers, status.Verifliers, status.VeriflierPairs = resp.GetFleet().GetCheckers(), resp.GetFleet().GetVerifliers(), resp.GetFleet().GetVeriflierPairs()
	return status, alarmsOfPeer(peer.Node, resp.GetFleet().GetAlarms())
}

func shardsToProto(shards []shard.Entry) []*monitorv1.ShardStatus {
	out := make([]*monitorv1.ShardStatus, len(shards))
	for i, s := range shards {
		out[i] = &monitorv1.ShardStatus{Shard: uint32(s.Shard), Term: s.Term, ExpireTime: timestamp(s.Expires)}
		if s.Orphaned.IsZero() {
			out[i].Owner = s.Node
		}
	}
	return out
}
