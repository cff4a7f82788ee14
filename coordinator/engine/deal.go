package engine

import (
	"cmp"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// dealer hands checks out: it submits those of compact sites, and adds to the effects
// which session gets which batch, with its targets.
type dealer struct {
	pace  pace
	pages pageChecks

	sites  *roster.Table
	agenda *schedule.Agenda
	core   *dispatch.Core
	meter  *coverage.Meter
	out    *effects
	ahead  lookahead
	// outlets lead to the sessions. Invariant: each session of core has one.
	outlets map[dispatch.SessionID]*outlet
	// tenures are the engine's.
	tenures *shard.Held
	// tlsErrors is what a bad certificate means where the site does not say.
	tlsErrors check.TLSErrors
	// traced has the cases whose checks are told of a trace; nil when none is.
	traced *casebook
}

// submit queues the routine check of a compact site, and arranges its next turn.
func (d *dealer) submit(now, due time.Time, slot schedule.Slot) {
	r := d.sites.Entry(slot)
	if d.core.Submit(now, dispatch.Check{Site: r.ID(), Sequence: r.Sequence() + 1, Host: r.Host(), Tag: uint32(slot), Due: due}) == nil {
		r.Routine()
	}
	d.agenda.Turn(&schedule.Timer{Slot: slot}, r.ID(), d.pace.of(r.Interval()))
}

// assign hands out as many checks as the checkers' credits allow.
func (d *dealer) assign(now time.Time) {
	for _, b := range d.core.Assign(now) {
		h := handout{to: d.outlets[b.Session], batch: b, at: now, first: len(d.out.targets)}
		d.ahead.entries(b.Checks)
		d.ahead.urls(b.Checks)
		for i := range b.Checks {
			c := &b.Checks[i]
			if !c.Due.IsZero() {
				d.meter.HandedOut(now, c.Due)
			}
			var t target
			if r := d.sites.Tagged(schedule.Slot(c.Tag), c.Site); r != nil {
				t = d.target(schedule.Slot(c.Tag))
				h.term = max(h.term, d.tenures[shard.Of(r.Bucket())].Term)
				if d.traced != nil && isTroubled(r.Stage(), r.Urgent()) {
					d.trace(&h.batch, i)
				}
			}
			d.out.targets = append(d.out.targets, t)
		}
		d.out.assign(h)
	}
}

// trace tells a check of a site in trouble which trace it belongs to.
func (d *dealer) trace(b *dispatch.Batch, i int) {
	if s := d.traced.open[schedule.Slot(b.Checks[i].Tag)]; s != nil {
		b.Traces = append(b.Traces, dispatch.Traced{Check: i, Parent: s.saga.parent(ownTrace(&b.Checks[i], b.Ref))})
	}
}

// target returns the target of the site in a slot. The entry is enough, since settle
// saves each changed case to it.
func (d *dealer) target(slot schedule.Slot) target {
	r, settings := d.sites.Entry(slot), d.sites.Settings(slot)
	return target{
		URL: d.sites.URL(slot), settings: settings, timeout: budget(r.Stage(), r.Urgent()),
		tlsErrors: cmp.Or(settings.TLSErrors, d.tlsErrors), headHostile: r.HeadHostile() && r.Sequence()%headAgain != 0, pageWasFilled: r.PageFilled(),
		pageRule: d.pages.rule(settings, turnOf(r.ID(), r.Sequence()), isTroubled(r.Stage(), r.Urgent())),
	}
}

// revoke takes expired batches back from their checkers.
func (d *dealer) revoke(ended []dispatch.Expired) {
	for _, x := range ended {
		if from := d.outlets[x.Session]; from != nil {
			d.out.revoke(from, x.Ref)
		}
	}
}

// open registers the outlet of a new session.
func (d *dealer) open(id dispatch.SessionID, s Session) {
	d.outlets[id] = &outlet{id: id, Session: s}
}

// end closes a session and drops its outlet.
func (d *dealer) end(id dispatch.SessionID, why string) {
	d.out.end(d.outlets[id], why)
	delete(d.outlets, id)
}
