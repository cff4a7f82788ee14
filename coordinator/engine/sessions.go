package engine

import (
	"errors"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Result is one observation that a checker checks in.
type Result struct {
	Key         dispatch.Key
	At          time.Time
	Observation check.Observation
}

// Join opens a session. Older sessions of the same process are ended, and those of another
// process of the same name that is gone; while that one is heard, the error is
// *dispatch.NameTaken.
//
// Batches of an earlier session of the same process that it still works on go on if
// their checks are in nobody else's hands.
func (e *Engine) Join(now time.Time, hello dispatch.Hello, resume []dispatch.Ref, out Session) (dispatch.SessionID, error) {
	e.mu.Lock()
	defer e.release()
	id, superseded, err := e.core.Join(now, hello, resume)
	if taken, ok := errors.AsType[*dispatch.NameTaken](err); ok {
		e.warnOfNamesake(now, e.fleet.Get(taken.Holder), hello)
	}
	if err != nil {
		return 0, err
	}
	for _, old := range superseded {
		e.endSession(now, old, "superseded by a newer session of the same node")
	}
	e.deal.open(id, out)
	e.fleet.Join(e.core.Session(id))
	e.out.info("checker joined", "checker", hello.Node, "region", hello.Region, "max_in_flight", hello.MaxInFlight)
	return id, nil
}

// warnOfNamesake logs that a process was refused because another one has its name.
func (e *Engine) warnOfNamesake(now time.Time, holder *checkers.Checker, refused dispatch.Hello) {
	if holder == nil || !holder.Contested(now) {
		return
	}
	works := holder.Hello()
	e.out.warn("a checker is refused: another process works under its name", "checker", refused.Node,
		"refused", refused.Address, "refused_region", refused.Region, "refused_instance", refused.Instance,
		"works", works.Address, "works_region", works.Region, "works_instance", works.Instance)
}

// Leave ends a session whose stream is gone. What it had out goes out again.
func (e *Engine) Leave(now time.Time, id dispatch.SessionID) {
	e.mu.Lock()
	defer e.release()
	e.endSession(now, id, "its stream ended")
	e.deal.assign(now)
}

// endSession forgets a session; doing so twice is no harm.
func (e *Engine) endSession(now time.Time, id dispatch.SessionID, why string) {
	e.core.Leave(now, id)
	c := e.fleet.Get(id)
	if c == nil {
		return
	}
	e.fleet.Leave(now, c)
	e.out.info("checker left", "checker", c.Node(), "why", why)
	e.deal.end(id, why)
}

// Grant adds credit.
func (e *Engine) Grant(now time.Time, id dispatch.SessionID, n int) error {
	e.mu.Lock()
	defer e.release()
	err := e.core.Grant(id, n)
	e.deal.assign(now)
	return err
}

// Leaving says that a checker wants no more checks.
func (e *Engine) Leaving(id dispatch.SessionID) {
	e.mu.Lock()
	defer e.release()
	e.core.Drain(id)
}

// Heartbeat keeps a session alive and answers which of its batches are not its own.
func (e *Engine) Heartbeat(now time.Time, id dispatch.SessionID, open []dispatch.Ref, self check.SelfCheck) ([]dispatch.Ref, error) {
	e.mu.Lock()
	defer e.release()
	if c := e.fleet.Get(id); c != nil && e.fleet.Report(now, c, self) {
		if self.Healthy {
			e.out.info("checker reaches its anchors", "checker", c.Node())
		} else {
			e.out.warn("checker does not reach its anchors, its failures count for nothing", "checker", c.Node(), "detail", self.Detail)
		}
	}
	unknown, err := e.core.Heartbeat(now, id, open)
	e.deal.assign(now)
	return unknown, err
}

// Release takes a batch back undone.
func (e *Engine) Release(now time.Time, id dispatch.SessionID, ref dispatch.Ref) error {
	e.mu.Lock()
	defer e.release()
	err := e.core.Release(now, id, ref)
	e.deal.assign(now)
	return err
}

// CheckIn takes results in. Only the first valid result of a check counts.
func (e *Engine) CheckIn(now time.Time, id dispatch.SessionID, ref dispatch.Ref, results []Result) (dispatch.Receipt, error) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	from := e.fleet.Get(id)
	if from == nil {
		// The checker comes back and checks them in again: nothing may be closed here.
		return dispatch.Receipt{}, dispatch.ErrNoSession
	}
	e.keys = e.keys[:0]
	for i := range results {
		e.keys = append(e.keys, results[i].Key)
	}
	receipt, err := e.core.CheckIn(now, id, ref, e.keys)
	if err != nil {
		return receipt, err
	}
	e.judge.counts.Stale += uint64(receipt.Stale)
	e.deal.ahead.records(receipt.Checks)
	for i := range results {
		r, c := &results[i], &receipt.Checks[i]
		if receipt.Classes[i] != dispatch.Accepted || e.deal.tagged(c) == nil {
			continue
		}
		slot := schedule.Slot(c.Tag)
		if !c.Due.IsZero() {
			e.meter.Answered(now, c.Due)
		}
		saw := checkers.Sighting{Site: r.Key.Site, At: r.At, Observation: &r.Observation, Sites: e.sites.Len()}
		if e.cases.open[slot] == nil {
			var calm bool
			if saw.URL, calm = e.sites.Good(slot, from.Node(), r.At, &r.Observation); calm {
				e.judge.counts.Checks++
				_, turn := e.fleet.Saw(now, from, &saw)
				e.turned(from, turn)
				continue
			}
		}
		e.result(m, from, e.cases.at(slot), saw)
	}
	e.deal.assign(now)
	return receipt, nil
}

// result takes in a result that is more than one more good check of a calm site.
func (e *Engine) result(m moment, from *checkers.Checker, s *site, saw checkers.Sighting) {
	saw.URL, saw.WasGood = s.Row.URL, s.State.Stage == lifecycle.Up || s.State.Stage == lifecycle.NeverChecked
	outcome, turn := e.fleet.Judge(m.Time, from, &saw)
	e.turned(from, turn)
	o := *saw.Observation
	o.Outcome = outcome
	e.judge.observe(m, s, store.LocalCheck{Node: from.Node(), At: saw.At, Observation: o})
	if o.Outcome != saw.Observation.Outcome {
		e.judge.elsewhere(m, s, from.Node())
	}
	e.cases.settle(m.Time, s)
}

// turned logs that a checker came into quarantine, or out of it.
func (e *Engine) turned(c *checkers.Checker, t *checkers.Turn) {
	switch {
	case t == nil:
	case t.In:
		e.out.log(slog.LevelError, "quarantined: its failures jump across unrelated networks and count for nothing",
			"checker", c.Node(), "networks", t.Surprised, "of", t.Seen)
	default:
		e.out.info("out of quarantine", "checker", c.Node(), "after", t.After.Round(time.Second))
	}
}
