package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check/checkpb"

	"github.com/Automattic/jetmon/coordinator/engine"
)

// fleet is the FleetService.
type fleet struct {
	monitorpb.UnimplementedFleetServiceServer
	o Options
}

func (s *fleet) GetFleet(ctx context.Context, _ *monitorpb.GetFleetRequest) (*monitorpb.GetFleetResponse, error) {
	sum := s.o.Engine.Summary()
	f := &monitorpb.Fleet{
		Coordinator: s.coordinator(ctx, sum),
		Rule:        ruleToProto(s.o.Panel.Rule()),
		Alarms:      s.alarms(sum),
	}
	for _, c := range sum.Checkers {
		f.Checkers = append(f.Checkers, &monitorpb.CheckerStatus{
			Node: c.Node, Region: c.Region, InstanceId: c.Instance, ConnectTime: timestamp(c.Joined),
			OpenChecks: uint32(c.Open), Credit: uint32(c.Credit), SelfCheck: checkpb.SelfCheckToProto(c.SelfCheck),
		})
	}
	for _, m := range s.o.Panel.Status() {
		f.Verifliers = append(f.Verifliers, &monitorpb.VeriflierStatus{
			Name: m.Member.Name, Region: m.Member.Region, Address: m.Member.Address,
			State: monitorpb.VeriflierState(m.State), Detail: m.Detail,
			LastAnswerTime: timestamp(m.LastAnswer), Asked: m.Asked, Unknown: m.Unknown,
		})
	}
	return &monitorpb.GetFleetResponse{Fleet: f}, nil
}

func (s *fleet) coordinator(ctx context.Context, sum engine.Summary) *monitorpb.CoordinatorStatus {
	c := &monitorpb.CoordinatorStatus{
		Node: s.o.Node, InstanceId: s.o.Instance, StartTime: timestamp(s.o.Started),
		Sites: sum.Sites, SuspectSites: sum.Suspect, DownSites: sum.Down,
		QueuedChecks: uint64(sum.Queued), OpenChecks: uint64(sum.Open),
		UncommittedChanges: uint64(s.o.Ledger.Status().Uncommitted),
	}
	// The rest is worth showing when the store is away, so this one is left at what
	// the deliverer last knew.
	if n, err := s.o.Store.CountNotices(ctx, s.o.Owned()); err == nil {
		c.UndeliveredNotices = uint64(n)
	} else {
		c.UndeliveredNotices = uint64(s.o.Notify.Status().Pending)
	}
	return c
}

// maxAlarms bounds the list in the answer.
const maxAlarms = 100

// lonelyTime is how long a fleet may be without a checker before that is an alarm.
const lonelyTime = 15 * time.Second

func (s *fleet) alarms(sum engine.Summary) []*monitorpb.Alarm {
	var out []*monitorpb.Alarm
	for _, h := range sum.Held {
		out = append(out, &monitorpb.Alarm{
			Kind: monitorpb.AlarmKind_ALARM_KIND_INCONCLUSIVE, SiteId: int64(h.Site), Url: h.URL,
			Message: "held as suspect, nothing is sent: " + h.Reason, RaiseTime: timestamp(h.Since),
		})
	}
	if st := s.o.Ledger.Status(); !st.FailingSince.IsZero() {
		out = append(out, &monitorpb.Alarm{
			Kind:      monitorpb.AlarmKind_ALARM_KIND_STORE,
			Message:   fmt.Sprintf("the database does not take status changes (%d wait): %s", st.Uncommitted, st.Err),
			RaiseTime: timestamp(st.FailingSince),
		})
	}
	if st := s.o.Notify.Status(); !st.RefusedSince.IsZero() {
		out = append(out, &monitorpb.Alarm{
			Kind:      monitorpb.AlarmKind_ALARM_KIND_DELIVERY,
			Message:   "WordPress.com does not accept notices: " + st.LastError,
			RaiseTime: timestamp(st.RefusedSince),
		})
	}
	if !sum.LonelySince.IsZero() && time.Since(sum.LonelySince) > lonelyTime {
		out = append(out, &monitorpb.Alarm{
			Kind:    monitorpb.AlarmKind_ALARM_KIND_NO_CHECKERS,
			Message: "no checker is connected, nothing is checked", RaiseTime: timestamp(sum.LonelySince),
		})
	}
	slices.SortStableFunc(out, func(a, b *monitorpb.Alarm) int {
		return a.GetRaiseTime().AsTime().Compare(b.GetRaiseTime().AsTime())
	})
	return out[:min(len(out), maxAlarms)]
}
