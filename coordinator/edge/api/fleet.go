package api

import (
	"context"
	"math"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// fleet is the FleetService.
type fleet struct {
	monitorv1.UnimplementedFleetServiceServer
	o Options
}

func (s *fleet) GetFleet(ctx context.Context, _ *monitorv1.GetFleetRequest) (*monitorv1.GetFleetResponse, error) {
	sum := s.o.Engine.Summary(time.Now())
	f := &monitorv1.Fleet{
		Coordinator: s.coordinator(ctx, sum),
		Rule:        ruleToProto(s.o.Panel.Rule()),
	}
	for _, c := range sum.Checkers {
		f.Checkers = append(f.Checkers, &monitorv1.CheckerStatus{
			Node: c.Node, Region: c.Region, InstanceId: c.Instance, ConnectTime: timestamp(c.Joined),
			OpenChecks: uint32(c.Open), Credit: uint32(c.Credit), SelfCheck: checkpb.SelfCheckToProto(c.SelfCheck),
			QuarantineTime: timestamp(c.Quarantined),
		})
	}
	s.verifliers(f)
	if sh, ok := s.o.Panel.Shadow(); ok {
		f.Shadow = &monitorv1.ShadowRule{
			Rule: ruleToProto(sh.Rule), Ballots: sh.Ballots, Agreed: sh.Agreed,
			OnlyShadowConfirmed: sh.OnlyShadow, OnlyRuleConfirmed: sh.OnlyRule,
		}
	}
	found := s.o.Watchdog.Report()
	alarms := found.Alarms
	if peers.Forwarded(ctx) {
		alarms = ownAlarms(alarms)
	} else {
		alarms = append(alarms, s.others(ctx, f)...)
	}
	suspects := f.GetCoordinator().GetSuspectSites()
	for _, p := range f.GetPeers() {
		suspects += p.GetStatus().GetSuspectSites()
	}
	f.Alarms = alarmsToProto(alarm.List(alarms, found.Unlisted, suspects))
	return &monitorv1.GetFleetResponse{Fleet: f}, nil
}

// verifliers adds those of the panel, and how far they agree.
func (s *fleet) verifliers(f *monitorv1.Fleet) {
	for _, m := range s.o.Panel.Status() {
		f.Verifliers = append(f.Verifliers, &monitorv1.VeriflierStatus{
			Name: m.Member.Name, Region: m.Member.Region, Address: m.Member.Address,
			State: monitorv1.VeriflierState(m.State), Detail: m.Detail,
			LastAnswerTime: timestamp(m.LastAnswer), Asked: m.Asked, Unknown: m.Unknown, Dissented: m.Dissented,
		})
	}
	for _, p := range s.o.Panel.Pairs() {
		f.VeriflierPairs = append(f.VeriflierPairs, &monitorv1.VeriflierPair{
			Veriflier: p.A, OtherVeriflier: p.B, Ballots: p.Ballots, Differed: p.Differed,
		})
	}
}

// countTimeout bounds the count of notifications; a peer that asks waits only peerTimeout
// for the whole answer.
const countTimeout = 500 * time.Millisecond

func (s *fleet) coordinator(ctx context.Context, sum engine.Summary) *monitorv1.CoordinatorStatus {
	owned := s.o.Shards.Held().Staying()
	c := &monitorv1.CoordinatorStatus{
		Node: s.o.Node, InstanceId: s.o.Instance, StartTime: timestamp(s.o.Started),
		Sites: sum.Sites, SuspectSites: sum.Suspect, DownSites: sum.Down,
		QueuedChecks: uint64(sum.Queued), OpenChecks: uint64(sum.Open),
		Shards: uint32(len(owned)), StaleResults: sum.Counters.Stale,
		Checks: sum.Counters.Checks, Failures: sum.Counters.Failures,
	}
	keepingUp(c, sum.Coverage)
	written := s.o.Committer.Status()
	c.UncommittedChanges, c.FencedChanges = uint64(written.Uncommitted), written.Fenced
	delivery := s.o.Notify.Status()
	c.Muted, c.UntoldSites = delivery.Disabled, uint64(delivery.Untold)
	c.Trial, c.TellingShards = s.o.Trial, uint32(delivery.Telling)
	// The rest is worth showing while the store is away or slow, so this number then is the
	// deliverer's last one.
	ctx, cancel := within(ctx, countTimeout)
	defer cancel()
	if counts, err := s.o.Store.CountDeliveries(ctx, owned); err == nil {
		for _, n := range counts {
			if n.Subscription == subscription.WordPressCom {
				c.UndeliveredNotices += uint64(n.Pending)
			}
		}
	} else {
		c.UndeliveredNotices = uint64(delivery.Pending)
	}
	return c
}

// keepingUp fills in how well checkers keep up with the schedule.
func keepingUp(c *monitorv1.CoordinatorStatus, r coverage.Report) {
	if r.Known {
		c.Coverage = &r.Coverage
	}
	c.Stretch = r.Stretch
	c.LatenessP50Millis, c.LatenessP99Millis, c.LatenessMaxMillis = millis(r.P50), millis(r.P99), millis(r.Most)
}

// millis rounds up, so that only 0 becomes 0.
func millis(d time.Duration) uint32 {
	return uint32(min(max(0, (d+time.Millisecond-1)/time.Millisecond), math.MaxUint32))
}
