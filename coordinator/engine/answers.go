package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/traceid"
)

// Decide applies the panel's answer to a ballot.
func (e *Engine) Decide(now time.Time, a Answer) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	s := e.cases.find(a.Question.Site)
	if s == nil || s.pending != nil || !s.opened || s.State.Ballot != a.Question.Ballot {
		return
	}
	e.judge.cause = a.Question.BallotSpan()
	e.judge.decided(m, s, &a)
	e.judge.cause = traceid.Context{}
	e.cases.settle(now, s)
}

// Looked applies a second look by a veriflier.
func (e *Engine) Looked(now time.Time, l Look) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	s := e.cases.find(l.Question.Site)
	if s == nil || l.Observation == nil || e.judge.target(s).URL != l.Question.Target.URL {
		return
	}
	e.judge.cause = l.Question.LookSpan()
	e.judge.observe(m, s, record.LocalCheck{Node: l.Veriflier, Veriflier: true, At: l.At, Observation: *l.Observation})
	e.judge.cause = traceid.Context{}
	e.cases.settle(now, s)
}

// Committed records that a change is in the store.
func (e *Engine) Committed(now time.Time, c record.Change, done record.Committed) {
	e.mu.Lock()
	defer e.release()
	if s := e.changing(c); s != nil {
		e.judge.written(now, s, s.pending, done)
		e.judge.committed(s, done, e.cases.ballots)
		e.cases.settle(now, s)
	}
}

// Refused drops a change that the store no longer accepts: the site starts afresh from its
// row, which is nil when the site has been deleted.
func (e *Engine) Refused(now time.Time, c record.Change, row *record.Site) {
	e.mu.Lock()
	defer e.release()
	s := e.changing(c)
	if s == nil {
		return
	}
	e.edits.Edited(now, c.SiteID)
	if row == nil || row.URL != s.Row.URL {
		e.watch.unremark(now, s.timer.Slot, &s.Row)
	}
	e.watch.remove(s)
	if row != nil {
		e.edits.Edited(now, c.SiteID)
		s := e.watch.add(now, *row)
		e.judge.soon(s)
		e.cases.settle(now, s)
	}
}

// changing returns the site that waits for the answer to a change; nil when none does.
func (e *Engine) changing(c record.Change) *site {
	if s := e.cases.find(c.SiteID); s != nil && s.pending != nil && s.pending.Key == c.Key {
		return s
	}
	return nil
}
