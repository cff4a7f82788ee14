package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// session is one connected checker.
type session struct {
	hello   dispatch.Hello
	out     Session
	self    check.SelfCheck
	unwell  time.Time // since when self is not healthy; zero while it is
	healed  time.Time // when self was last healthy again; zero when it always was
	joined  time.Time
	leaving bool
}

// Result is one observation that a checker checks in.
type Result struct {
	Key         dispatch.Key
	At          time.Time
	Observation check.Observation
}

// Join opens a session. Older sessions of the same node are ended.
//
// Batches of an earlier session of the same process that it still works on go on if
// their checks are in nobody else's hands.
func (e *Engine) Join(now time.Time, hello dispatch.Hello, resume []dispatch.Ref, out Session) dispatch.SessionID {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, superseded := e.core.Join(now, hello, resume)
	for _, old := range superseded {
		e.endSession(now, old, "superseded by a newer session of the same node")
	}
	e.sessions[id] = &session{hello: hello, out: out, joined: now, self: check.SelfCheck{Healthy: true}}
	e.lonely = time.Time{}
	e.o.Log.Info("checker joined", "checker", hello.Node, "region", hello.Region, "max_in_flight", hello.MaxInFlight)
	return id
}

// Leave ends a session whose stream is gone. What it had out goes out again.
func (e *Engine) Leave(now time.Time, id dispatch.SessionID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endSession(now, id, "its stream ended")
	e.assign(now)
}

// endSession forgets a session; doing so twice is no harm.
func (e *Engine) endSession(now time.Time, id dispatch.SessionID, why string) {
	e.core.Leave(now, id)
	ses := e.sessions[id]
	if ses == nil {
		return
	}
	delete(e.sessions, id)
	if e.trusted(ses) && !e.connected(ses.hello.Node) {
		delete(e.witnesses, ses.hello.Node) // quarantine outlives a reconnect
	}
	if len(e.sessions) == 0 {
		e.lonely = now
	}
	e.o.Log.Info("checker left", "checker", ses.hello.Node, "why", why)
	ses.out.End(why)
}

// connected says whether a node has a session.
func (e *Engine) connected(node string) bool {
	for _, ses := range e.sessions {
		if ses.hello.Node == node {
			return true
		}
	}
	return false
}

// Grant adds credit.
func (e *Engine) Grant(now time.Time, id dispatch.SessionID, n int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.core.Grant(id, n)
	e.assign(now)
	return err
}

// Leaving says that a checker wants no more checks.
func (e *Engine) Leaving(id dispatch.SessionID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.core.Drain(id)
	if ses := e.sessions[id]; ses != nil {
		ses.leaving = true
	}
}

// Heartbeat keeps a session alive and answers which of its batches are not its own.
func (e *Engine) Heartbeat(now time.Time, id dispatch.SessionID, open []dispatch.Ref, self check.SelfCheck) ([]dispatch.Ref, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ses := e.sessions[id]; ses != nil {
		if ses.self.Healthy != self.Healthy {
			if self.Healthy {
				e.o.Log.Info("checker reaches its anchors", "checker", ses.hello.Node)
			} else {
				e.o.Log.Warn("checker does not reach its anchors, its failures count for nothing", "checker", ses.hello.Node, "detail", self.Detail)
			}
		}
		ses.self = self
		switch {
		case self.Healthy && !ses.unwell.IsZero():
			ses.unwell, ses.healed = time.Time{}, now
		case !self.Healthy && ses.unwell.IsZero():
			ses.unwell = now
			// The failures of the last moments are explained, and no mark against it.
			delete(e.witnesses, ses.hello.Node)
		}
	}
	unknown, err := e.core.Heartbeat(now, id, open)
	e.assign(now)
	return unknown, err
}

// Release takes a batch back undone.
func (e *Engine) Release(now time.Time, id dispatch.SessionID, ref dispatch.Ref) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.core.Release(now, id, ref)
	e.assign(now)
	return err
}

// CheckIn takes results in. Only the first valid result of a check counts.
func (e *Engine) CheckIn(now time.Time, id dispatch.SessionID, ref dispatch.Ref, results []Result) (dispatch.Receipt, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ses := e.sessions[id]
	if ses == nil {
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
	e.counts.Stale += uint64(receipt.Stale)
	e.expectRecords(receipt.Checks)
	for i := range results {
		r, c := &results[i], &receipt.Checks[i]
		if receipt.Classes[i] != dispatch.Accepted || e.tagged(c) == nil {
			continue
		}
		slot := schedule.Slot(c.Tag)
		if !c.Due.IsZero() {
			e.meter.Answered(now, c.Due)
		}
		if e.cases[slot] == nil {
			if url, ok := e.sites.Good(slot, ses.hello.Node, r.At, &r.Observation); ok {
				e.counts.Checks++
				e.shown(now, ses, r, url, false)
				continue
			}
		}
		s := e.open(slot)
		o := e.credible(now, ses, s, r)
		e.observe(now, s, store.LocalCheck{Node: ses.hello.Node, At: r.At, Observation: o})
		if o.Outcome != r.Observation.Outcome {
			e.elsewhere(now, s, ses.hello.Node)
		}
		e.settle(now, s)
	}
	e.assign(now)
	return receipt, nil
}
