package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// dealer hands checks out: it submits those of calm sites, and writes down among the
// effects which session gets which batch, with what there is to ask.
type dealer struct {
	pace pace

	sites  *roster.Table
	agenda *schedule.Agenda
	core   *dispatch.Core
	meter  *coverage.Meter
	out    *effects
	ahead  lookahead
	// outlets are the ways to the sessions. Invariant: each session of core has one.
	outlets map[dispatch.SessionID]*outlet
	// terms are those under which shards are ours; 0 for others.
	terms [shard.Count]uint64
}

// calm has the routine check made of a site without a case, which was due at a time.
func (d *dealer) calm(now, due time.Time, slot schedule.Slot) {
	r := d.sites.Record(slot)
	if d.core.Submit(now, dispatch.Check{Site: r.ID(), Sequence: r.Sequence() + 1, Host: r.Host(), Tag: uint32(slot), Due: due}) == nil {
		r.Routine()
	}
	d.agenda.Turn(&schedule.Timer{Slot: slot}, r.ID(), d.pace.of(r.Interval()))
}

// assign hands out what credits allow.
func (d *dealer) assign(now time.Time) {
	for _, b := range d.core.Assign(now) {
		h := handout{to: d.outlets[b.Session], batch: b, at: now, first: len(d.out.targets)}
		d.ahead.records(b.Checks)
		d.ahead.urls(b.Checks)
		for i := range b.Checks {
			c := &b.Checks[i]
			if !c.Due.IsZero() {
				d.meter.HandedOut(now, c.Due)
			}
			var t target
			if r := d.tagged(c); r != nil {
				t = d.target(schedule.Slot(c.Tag))
				h.term = max(h.term, d.terms[shard.Of(r.Bucket())])
			}
			d.out.targets = append(d.out.targets, t)
		}
		d.out.assign(h)
	}
}

// tagged is the record of the site that a check is of: its tag is the slot. Nil when the
// site was taken off meanwhile.
func (d *dealer) tagged(c *dispatch.Check) *roster.Record {
	if r := d.sites.Record(schedule.Slot(c.Tag)); r.ID() == c.Site {
		return r
	}
	return nil
}

// target is what to ask a node about the site in a slot. A case is saved in its record
// after each change, so that the record is enough.
func (d *dealer) target(slot schedule.Slot) target {
	r := d.sites.Record(slot)
	return target{
		URL: d.sites.URL(slot), settings: d.sites.Settings(slot), timeout: budget(r.Stage(), r.Urgent()),
		headHostile: r.HeadHostile() && r.Sequence()%headAgain != 0,
	}
}

// revoke tells the checkers that batches are not theirs any more.
func (d *dealer) revoke(ended []dispatch.Expired) {
	for _, x := range ended {
		if from := d.outlets[x.Session]; from != nil {
			d.out.revoke(from, x.Ref)
		}
	}
}

// open takes in the way to a new session, and end ends it.
func (d *dealer) open(id dispatch.SessionID, s Session) {
	d.outlets[id] = &outlet{id: id, Session: s}
}

func (d *dealer) end(id dispatch.SessionID, why string) {
	d.out.end(d.outlets[id], why)
	delete(d.outlets, id)
}
