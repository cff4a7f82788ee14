package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// handover passes the effects of engine calls to the ports and the log. A call queues its
// effects while it holds the engine's lock, so that the queue is in the order of the
// decisions. After it has released the lock, it returns only when all effects queued by
// then have been handed over, by itself or by a concurrent call.
type handover struct {
	panel     Panel
	committer Committer
	tracer    Tracer // nil without traces
	log       *slog.Logger

	mu sync.Mutex // guards queue and spare
	// queue holds the effects that are not handed over yet, the oldest first.
	queue []*effects
	// spare holds empty effects for reuse.
	spare []*effects

	// turn is held by the call that hands over. It guards lent.
	turn sync.Mutex
	lent []check.Target
}

// maxSpare is how many empty effects are kept: more than are commonly queued.
const maxSpare = 4

// outlet leads to one session. handover.turn guards shut and every call of the Session.
type outlet struct {
	id dispatch.SessionID
	Session
	// shut: the session has refused a batch, or has ended. It gets nothing more.
	shut bool
}

// put queues effects and leaves out empty. The caller holds the engine's lock.
func (h *handover) put(out *effects) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var filled *effects
	if n := len(h.spare); n > 0 {
		filled, h.spare = h.spare[n-1], h.spare[:n-1]
	} else {
		filled = new(effects)
	}
	*out, *filled = *filled, *out
	h.queue = append(h.queue, filled)
}

// next takes the first effects from the queue; nil when it is empty. done, the effects that
// were handed over last, are reused.
func (h *handover) next(done *effects) *effects {
	if done != nil {
		done.reset()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if done != nil && len(h.spare) < maxSpare {
		h.spare = append(h.spare, done)
	}
	if len(h.queue) == 0 {
		return nil
	}
	first := h.queue[0]
	n := copy(h.queue, h.queue[1:])
	h.queue[n], h.queue = nil, h.queue[:n]
	return first
}

// run hands over the whole queue. It returns the batches that were refused: the caller must
// end their sessions. The caller does not hold the engine's lock.
func (h *handover) run() (refused []handout) {
	h.turn.Lock()
	defer h.turn.Unlock()
	for out := h.next(nil); out != nil; out = h.next(out) {
		for _, f := range out.order {
			if f.kind == assignEffect {
				if a := &out.handouts[f.at]; !h.assign(a, out.targets) {
					refused = append(refused, handout{to: a.to, at: a.at})
				}
				continue
			}
			h.tell(out, f)
		}
	}
	return refused
}

// assign hands a batch out. It reports false when the session refuses it just now.
func (h *handover) assign(a *handout, targets []target) bool {
	if a.to.shut {
		return true
	}
	h.lent = h.lent[:0]
	for i := range a.batch.Checks {
		h.lent = append(h.lent, targets[a.first+i].spell())
	}
	a.to.shut = !a.to.Assign(a.batch, h.lent, a.term)
	return !a.to.shut
}

// tell hands over any effect but a batch.
func (h *handover) tell(out *effects, f effect) {
	switch f.kind {
	case askEffect:
		h.panel.Ask(out.questions[f.at])
	case lookEffect:
		h.panel.Look(out.questions[f.at])
	case abandonEffect:
		h.panel.Abandon(out.abandoned[f.at].site, out.abandoned[f.at].ballot)
	case recordEffect:
		h.committer.Record(out.changes[f.at])
	case keepEffect:
		h.committer.Keep(out.ballots[f.at])
	case revokeEffect:
		if r := &out.revoked[f.at]; !r.from.shut {
			r.from.Revoke([]dispatch.Ref{r.ref})
		}
	case endEffect:
		x := &out.ended[f.at]
		x.session.shut = true
		x.session.End(x.why)
	case stepEffect:
		h.tracer.Record(out.steps[f.at])
	case logEffect:
		l := &out.lines[f.at]
		h.log.Log(context.Background(), l.level, l.text, l.args...)
	}
}

// moment is the time of a call, and the state of the committer before the call took the
// engine's lock.
type moment struct {
	time.Time
	// full: too many changes wait to be written, so the engine decides nothing new.
	full bool
}

func (h *handover) moment(now time.Time) moment { return moment{Time: now, full: h.committer.Full()} }
