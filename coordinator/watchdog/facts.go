package watchdog

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
)

// facts gathers the reports of this coordinator's parts.
func (w *Watchdog) facts(now time.Time) alarm.Facts {
	sum := w.o.Engine.Summary(now)
	f := alarm.Facts{
		Started: w.started, NoCheckersSince: sum.NoCheckersSince, UndecidedCount: sum.UndecidedCount,
		Schedule: alarm.Schedule{Stretch: sum.Coverage.Stretch, Coverage: sum.Coverage.Coverage, Known: sum.Coverage.Known},
		Unowned:  w.unowned(now),
	}
	for _, c := range sum.Checkers {
		f.Checkers = append(f.Checkers, alarm.Checker{
			Node: c.Node, Region: c.Region, Instance: c.Instance, Detail: c.SelfCheck.Detail,
			UnhealthySince: c.UnwellSince, QuarantinedSince: c.Quarantined,
			Rival: alarm.Rival{Region: c.Rival.Hello.Region, Instance: c.Rival.Hello.Instance, Since: c.Rival.Since},
		})
	}
	if alarm.AllUnhealthy(f.Checkers) {
		w.cutOff = now
	}
	f.CutOff = w.cutOff
	for _, h := range sum.Undecided {
		f.Undecided = append(f.Undecided, alarm.Undecided{Site: h.Site, URL: h.URL, Since: h.Since, Reason: h.Reason})
	}
	for _, d := range sum.Disagreements {
		f.Disagreements = append(f.Disagreements, alarm.Disagreement{
			Site: d.Site, URL: d.URL, Since: d.Since, Veriflier: d.Veriflier, Saw: d.Opinion.String(),
		})
	}
	for _, m := range w.o.Panel.Status() {
		if m.State == panel.Unreachable || m.State == panel.Unfit {
			f.Verifliers = append(f.Verifliers, alarm.Veriflier{
				Name: m.Member.Name, Region: m.Member.Region, Since: m.Since, Detail: m.Detail, Offline: m.Offline,
			})
		}
	}
	strays, since := w.o.Upkeep.Strays()
	f.Strays = alarm.Strays{Rows: strays.Rows, First: strays.First, Last: strays.Last, Since: since}
	written := w.o.Committer.Status()
	f.Store = alarm.Store{
		Uncommitted: written.Uncommitted, OldestSince: written.OldestSince, Full: written.Full,
		FailingSince: written.FailingSince, Err: written.Err,
	}
	f.Store.Uncertain, f.Store.UncertainSince = w.o.Shards.Held().Uncertain()
	delivery := w.o.Notify.Status()
	f.Delivery = alarm.Delivery{RefusedSince: delivery.RefusedSince, LastError: delivery.LastError}
	for _, e := range delivery.Endpoints {
		f.Delivery.Endpoints = append(f.Delivery.Endpoints, alarm.Endpoint{
			Name: e.Name, WordPressCom: e.Subscription == subscription.WordPressCom, Pending: e.Pending,
			Oldest: e.Oldest, PausedSince: e.PausedSince, Why: e.Why,
		})
	}
	return f
}

// unowned lists the shards without an owner. It returns none while the owners cannot be
// read, since then they are unknown.
func (w *Watchdog) unowned(now time.Time) []alarm.Unowned {
	d := w.o.Shards.Directory()
	if d.Err != nil || d.At.IsZero() || now.Sub(d.At) > directoryAge {
		return nil
	}
	var out []alarm.Unowned
	for _, e := range d.Entries {
		if !e.Orphaned.IsZero() {
			first := check.BucketID(int(e.Shard) * shard.BucketsPer)
			out = append(out, alarm.Unowned{
				Shard: int(e.Shard), FirstBucket: first, LastBucket: first + shard.BucketsPer - 1, Since: e.Orphaned,
			})
		}
	}
	return out
}

// silent asks all peers for a sign of life and returns those that do not answer.
func (w *Watchdog) silent(ctx context.Context) []alarm.Peer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var out []alarm.Peer
	for _, s := range w.o.Peers.Silent(ctx) {
		out = append(out, alarm.Peer{Node: s.Node, Endpoint: s.Endpoint, FailingSince: s.Since, Detail: s.Detail})
	}
	return out
}
