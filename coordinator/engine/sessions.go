package engine

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// Result is one observation that a checker reports.
type Result struct {
	Key         dispatch.Key
	At          time.Time
	Observation check.Observation
}

// Join opens a session. It ends older sessions of the same process, and those of another
// process of the same name that is gone; while that process is alive, Join returns a
// *dispatch.NameTaken.
//
// The process keeps the batches of its earlier session that it still works on, unless
// their checks have gone to another checker.
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

// warnOfNamesake logs that a process was refused because another one holds its name.
func (e *Engine) warnOfNamesake(now time.Time, holder *checkers.Checker, refused dispatch.Hello) {
	if holder == nil || !holder.Contested(now) {
		return
	}
	works := holder.Hello()
	e.out.warn("checker refused: name taken by another process", "checker", refused.Node,
		"refused", refused.Address, "refused_region", refused.Region, "refused_instance", refused.Instance,
		"works", works.Address, "works_region", works.Region, "works_instance", works.Instance)
}

// Leave ends a session whose stream is gone. Its open checks go out again.
func (e *Engine) Leave(now time.Time, id dispatch.SessionID) {
	e.mu.Lock()
	defer e.release()
	e.endSession(now, id, "its stream ended")
	e.deal.assign(now)
}

// endSession ends a session. Ending it twice does no harm.
func (e *Engine) endSession(now time.Time, id dispatch.SessionID, why string) {
	e.core.Leave(now, id)
	c := e.fleet.Get(id)
	if c == nil {
		return
	}
	e.fleet.Leave(now, c)
	e.out.info("checker left", "checker", c.Node(), "reason", why)
	e.deal.end(id, why)
}

// Grant adds credit to a session.
func (e *Engine) Grant(now time.Time, id dispatch.SessionID, n int) error {
	e.mu.Lock()
	defer e.release()
	err := e.core.Grant(id, n)
	e.deal.assign(now)
	return err
}

// Leaving drains a session: its checker gets no more checks.
func (e *Engine) Leaving(id dispatch.SessionID) {
	e.mu.Lock()
	defer e.release()
	e.core.Drain(id)
}

// Heartbeat keeps a session alive. It returns those of the open batches that the session
// does not hold.
func (e *Engine) Heartbeat(now time.Time, id dispatch.SessionID, open []dispatch.Ref, self check.SelfCheck) ([]dispatch.Ref, error) {
	e.mu.Lock()
	defer e.release()
	if c := e.fleet.Get(id); c != nil && e.fleet.Report(now, c, self) {
		if self.Healthy {
			e.out.info("checker healthy", "checker", c.Node())
		} else {
			e.out.warn("checker unhealthy, its failures do not count", "checker", c.Node(), "detail", self.Detail)
		}
	}
	unknown, err := e.core.Heartbeat(now, id, open)
	e.deal.assign(now)
	return unknown, err
}

// Release takes back a batch that the checker has not done.
func (e *Engine) Release(now time.Time, id dispatch.SessionID, ref dispatch.Ref) error {
	e.mu.Lock()
	defer e.release()
	err := e.core.Release(now, id, ref)
	e.deal.assign(now)
	return err
}

// CheckIn accepts results. Only the first valid result of a check counts.
func (e *Engine) CheckIn(now time.Time, id dispatch.SessionID, ref dispatch.Ref, results []Result) (dispatch.Receipt, error) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	from := e.fleet.Get(id)
	if from == nil {
		// The checker will reconnect and report them again: nothing may be closed here.
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
	e.deal.ahead.entries(receipt.Checks)
	e.notes.from(now, from)
	for i := range results {
		if receipt.Classes[i] != dispatch.Accepted {
			continue
		}
		r, c := &results[i], &receipt.Checks[i]
		saw := checkers.Sighting{Site: r.Key.Site, At: r.At, Observation: &r.Observation}
		s, watched := e.cases.accept(c, from.Node(), &saw)
		if !watched {
			continue
		}
		if !c.Due.IsZero() {
			e.meter.Answered(now, c.Due)
		}
		if s != nil {
			if e.judge.traced {
				e.judge.cause = s.saga.checked(ownTrace(c, ref), r.Observation.Outcome == check.OutcomeDown)
			}
			e.notes.result(c, &saw, e.result(m, from, s, &saw))
			continue
		}
		e.notes.result(c, &saw, check.OutcomeUp)
		e.remark(schedule.Slot(c.Tag), r.At, saw.Observation)
		e.judge.counts.Checks++
		e.results.Note(check.StatusRunning, saw.Observation)
		_, turn := e.fleet.Saw(now, from, &saw)
		e.turned(from, turn)
		e.demands.answer(r.Key.Site, saw.Observation)
	}
	e.deal.assign(now)
	return receipt, nil
}

// result applies a result that is more than another good check of a compact site. It returns the
// outcome that the result is taken for.
func (e *Engine) result(m moment, from *checkers.Checker, s *site, saw *checkers.Sighting) check.Outcome {
	outcome, turn := e.fleet.Judge(m.Time, from, saw)
	e.turned(from, turn)
	o := *saw.Observation
	o.Outcome = outcome
	e.results.Note(s.Row.Status, &o)
	e.judge.observe(m, s, record.LocalCheck{Node: from.Node(), Region: from.Hello().Region, At: saw.At, Observation: o})
	e.judge.cause = traceid.Context{}
	if o.Outcome != saw.Observation.Outcome {
		e.judge.elsewhere(m, s, from.Node())
	}
	e.cases.settle(m.Time, s)
	e.remark(s.timer.Slot, saw.At, &o)
	e.demands.answer(s.Row.ID, &o)
	return outcome
}

// turned logs the start or the end of a checker's quarantine.
func (e *Engine) turned(c *checkers.Checker, t *checkers.Turn) {
	switch {
	case t == nil:
	case t.In:
		e.out.log(slog.LevelError, "checker quarantined: its failures jump across unrelated networks and do not count",
			"checker", c.Node(), "networks", t.Surprised, "of", t.Seen)
	default:
		e.out.info("checker quarantine ended", "checker", c.Node(), "after", t.After.Round(time.Second))
	}
}

// Refuses returns why no connected checker would visit an address, as private; "" when one
// would, may, or none is connected.
func (e *Engine) Refuses(a netip.AddrPort) (reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, info := range e.core.Sessions() {
		if info.Hello.Addresses == nil {
			return ""
		}
		if reason = info.Hello.Addresses.Refuse(a); reason == "" {
			return ""
		}
	}
	return reason
}
