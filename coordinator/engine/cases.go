package engine

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// site finds a site; nil when it is not watched. Whoever changes it must settle it.
func (e *Engine) site(id check.SiteID) *site {
	if slot, ok := e.byID.get(id); ok {
		return e.open(slot)
	}
	return nil
}

// open is the site in a slot: its case, or one made from its record.
func (e *Engine) open(slot schedule.Slot) *site {
	if s := e.cases[slot]; s != nil {
		return s
	}
	r := e.record(slot)
	s := &site{
		row: e.row(r), slot: slot, sequence: uint64(r.sequence), urgent: r.has(flagUrgent),
		headHostile: r.has(flagHeadHostile), lastCheck: e.timeOf(r.last), host: r.host,
	}
	s.state = lifecycle.State{
		Stage: r.stage(), Status: check.StatusRunning, StatusSince: s.row.StatusSince,
		Ballot: e.ballots, Node: e.nodes[r.node], Observed: s.lastCheck,
	}
	if r.last != 0 && r.stage() == lifecycle.Up {
		s.last = calmObservation(r)
	}
	return s
}

// calmObservation is what a record remembers of a good check.
func calmObservation(r *record) *check.Observation {
	o := &check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: r.seen.status(), Advisories: r.seen.advisories(), Phase: check.PhaseDone, Method: check.MethodHead,
		Timing: check.Timing{Total: time.Duration(r.rtt) * time.Millisecond},
	}
	if r.has(flagGet) {
		o.Method = check.MethodGet
	}
	return o
}

// settle writes a site back after it was changed, and opens or closes its case.
func (e *Engine) settle(now time.Time, s *site) {
	r := e.record(s.slot)
	if r.id != s.row.ID {
		return // it was removed
	}
	e.ballots = max(e.ballots, s.state.Ballot)
	e.write(r, s)
	calm := e.calm(now, s)
	e.remember(s, !calm)
	if calm {
		delete(e.cases, s.slot)
		return
	}
	e.cases[s.slot] = s
}

// calm says whether the record alone can stand for the site.
func (e *Engine) calm(now time.Time, s *site) bool {
	st := s.state
	switch {
	case st.Stage != lifecycle.Up && st.Stage != lifecycle.NeverChecked,
		st.Status != check.StatusRunning, st.Unsettled, s.row.OutageID != 0, s.pending != nil,
		s.answer != nil, len(s.checks) > 0, s.opened, s.askDue, s.place != 0,
		s.last != nil && s.last.Outcome != check.OutcomeUp,
		s.last != nil && !fits(s.last.Advisories):
		return false
	case !st.Flap.Recoveries[0].IsZero() && now.Sub(st.Flap.Recoveries[0]) <= e.o.Policy.FlapWindow:
		return false
	}
	return s.regional.At.IsZero() || now.Sub(s.regional.At) > regionalFor
}

// write keeps in the record what it can hold.
func (e *Engine) write(r *record, s *site) {
	if e.urls.text(r.url) != s.row.URL {
		e.urls.drop(r.url)
		r.url = e.urls.add(s.row.URL)
	}
	if r.bucket != s.row.Bucket {
		e.unlink(r)
		r.bucket = s.row.Bucket
		e.link(s.slot, r)
	}
	r.blog, r.interval, r.settings = s.row.BlogID, minutes(s.row.Interval), e.settings.add(s.row.Settings)
	r.since = momentOf(s.row.StatusSince)
	r.sequence, r.last = uint32(s.sequence), e.grains(s.lastCheck)
	r.node, r.host = e.nodeIndex(s.state.Node), s.host
	r.setStage(s.state.Stage)
	r.set(flagUrgent, s.urgent)
	r.set(flagHeadHostile, s.headHostile)
	r.set(flagGet, false)
	if s.last != nil {
		r.good(s.last)
	}
}

// good remembers a good check.
func (r *record) good(o *check.Observation) {
	r.seen = seenIn(o)
	r.rtt = uint16(min(o.Timing.Total/time.Millisecond, 1<<16-1))
	r.set(flagGet, o.Method == check.MethodGet)
}

func minutes(d time.Duration) uint8 { return uint8(max(1, min(d/time.Minute, 255))) }

// calmDue is siteDue for a site without a case: its routine check.
func (e *Engine) calmDue(now, due time.Time, slot schedule.Slot, r *record) {
	if e.core.Submit(now, dispatch.Check{Site: r.id, Sequence: uint64(r.sequence) + 1, Host: r.host, Tag: uint32(slot), Due: due}) == nil {
		r.sequence++
		r.set(flagUrgent, false)
	}
	e.turns.Add(slot, schedule.Next(r.id, e.intervalOf(time.Duration(r.interval)*time.Minute), e.clock.Now()))
}

// calmGood takes in a good check of a site that is up and has no case: nothing changes
// but what is remembered of the check. False: it is not as simple as that.
func (e *Engine) calmGood(slot schedule.Slot, node string, at time.Time, o *check.Observation) bool {
	r := e.record(slot)
	if r.stage() != lifecycle.Up || o.Outcome != check.OutcomeUp || !fits(o.Advisories) ||
		slices.Contains(o.Advisories, check.AdvisoryHeadUnsupported) || r.has(flagHeadHostile) || e.cases[slot] != nil {
		return false
	}
	e.counts.Checks++
	if last := e.grains(at); last >= r.last {
		r.last, r.node, r.host = last, e.nodeIndex(node), e.machineAt(o.ResolvedAddress, r.host)
		r.good(o)
	}
	return true
}
