package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/peers"
	"github.com/Automattic/jetmon/coordinator/shard"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// peerTimeout bounds what a peer may take to describe itself; asked are how many do
	// so at once.
	peerTimeout = time.Second
	asked       = 16
	// orphanTime is how long a shard may be nobody's before that is an alarm: a takeover
	// ends within 20 s.
	orphanTime = 30 * time.Second
)

// others adds what is not this coordinator's own: who owns what, and what the other
// coordinators say of themselves.
func (s *fleet) others(ctx context.Context, f *monitorpb.Fleet) {
	now := time.Now()
	// While the store is away nothing is known of leases: then nothing is said of them.
	if shards, err := s.o.Peers.Shards(ctx); err == nil {
		f.Shards = shardsToProto(shards)
		f.Alarms = append(f.Alarms, unowned(shards, now)...)
	}
	all := s.o.Peers.Others(ctx)
	f.Peers = make([]*monitorpb.PeerStatus, len(all))
	alarms := make([][]*monitorpb.Alarm, len(all))
	var asking errgroup.Group
	asking.SetLimit(asked)
	for i, peer := range all {
		asking.Go(func() error {
			f.Peers[i], alarms[i] = s.ask(ctx, peer)
			return nil
		})
	}
	_ = asking.Wait() // never fails
	for i := range all {
		f.Alarms = append(f.Alarms, alarms[i]...)
	}
}

// ask lets a peer describe itself, and raise its alarms. That it does not is one, too.
func (s *fleet) ask(ctx context.Context, peer peers.Peer) (*monitorpb.PeerStatus, []*monitorpb.Alarm) {
	ctx, cancel := within(ctx, peerTimeout)
	defer cancel()
	status := &monitorpb.PeerStatus{Node: peer.Node, Endpoint: peer.Endpoint}
	var resp *monitorpb.GetFleetResponse
	err := s.o.Peers.Ask(ctx, peer, func(ctx context.Context, conn grpc.ClientConnInterface) (err error) {
		resp, err = monitorpb.NewFleetServiceClient(conn).GetFleet(ctx, &monitorpb.GetFleetRequest{})
		return err
	})
	if err == nil && resp.GetFleet().GetCoordinator().GetNode() != peer.Node {
		err = fault.New(fault.Unavailable, "at its endpoint answers %q", resp.GetFleet().GetCoordinator().GetNode())
	}
	if err != nil {
		status.Detail = fault.Status(err).Message()
		since := s.o.Peers.FailingSince(peer.Node)
		if since.IsZero() {
			since = time.Now()
		}
		return status, []*monitorpb.Alarm{{
			Kind: monitorpb.AlarmKind_ALARM_KIND_PEER, RaiseTime: timestamp(since),
			Message: fmt.Sprintf("coordinator %s at %s cannot be asked: %s", peer.Node, peer.Endpoint, status.Detail),
		}}
	}
	status.Status = resp.GetFleet().GetCoordinator()
	return status, named(peer.Node, resp.GetFleet().GetAlarms())
}

// named says whose alarms these are, where they are not about a site.
func named(node string, alarms []*monitorpb.Alarm) []*monitorpb.Alarm {
	for _, a := range alarms {
		if a.GetSiteId() == 0 {
			a.Message = "coordinator " + node + ": " + a.GetMessage()
		}
	}
	return alarms
}

func shardsToProto(shards []shard.Entry) []*monitorpb.ShardStatus {
	out := make([]*monitorpb.ShardStatus, len(shards))
	for i, s := range shards {
		out[i] = &monitorpb.ShardStatus{Shard: uint32(s.Shard), Term: s.Term, ExpireTime: timestamp(s.Expires)}
		if s.Orphaned.IsZero() {
			out[i].Owner = s.Node
		}
	}
	return out
}

// unowned is the alarm about all shards that are nobody's for too long.
func unowned(shards []shard.Entry, now time.Time) []*monitorpb.Alarm {
	var names []string
	var since time.Time
	for _, run := range runs(shards, func(s shard.Entry) bool {
		return !s.Orphaned.IsZero() && now.Sub(s.Orphaned) > orphanTime
	}) {
		first, last := run[0].Shard, run[len(run)-1].Shard
		name := fmt.Sprintf("%d", first)
		if first != last {
			name = fmt.Sprintf("%d-%d", first, last)
		}
		names = append(names, fmt.Sprintf("%s (buckets %d-%d)", name,
			int(first)*shard.BucketsPer, (int(last)+1)*shard.BucketsPer-1))
		for _, s := range run {
			if since.IsZero() || s.Orphaned.Before(since) {
				since = s.Orphaned
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []*monitorpb.Alarm{{
		Kind: monitorpb.AlarmKind_ALARM_KIND_UNOWNED, RaiseTime: timestamp(since),
		Message: "nobody owns shards " + strings.Join(names, ", ") + ": their sites are not checked",
	}}
}

// runs are the stretches of shards in a row that are as wanted.
func runs(shards []shard.Entry, wanted func(shard.Entry) bool) [][]shard.Entry {
	var out [][]shard.Entry
	for i := 0; i < len(shards); i++ {
		from := i
		for i < len(shards) && wanted(shards[i]) {
			i++
		}
		if i > from {
			out = append(out, shards[from:i])
		}
	}
	return out
}
