package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// handover tells the ports and the log what calls have to tell them. A call puts its
// effects in line while it holds the engine's lock, so that the line is in the order in
// which things were decided; then it lets the lock go, and sees to it that all that is in
// line by then is handed over, by itself or by another call that is at it.
type handover struct {
	panel     Panel
	committer Committer
	log       *slog.Logger

	mu sync.Mutex // guards line and spare
	// line has the effects that are not handed over yet, those first that were first.
	line []*effects
	// spare are empty, for use again.
	spare []*effects

	// turn is held by the call that hands over. It guards lent.
	turn sync.Mutex
	lent []check.Target
}

// maxSpare is how many empty effects are kept: more than calls are commonly in line.
const maxSpare = 4

// outlet is the way to one session. It is handed to, and knows that it cannot be, under
// handover.turn.
type outlet struct {
	id dispatch.SessionID
	Session
	// shut: the session has refused a batch, or has ended. It gets nothing more.
	shut bool
}

// put puts effects in line, and leaves out empty. The caller holds the engine's lock.
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
	h.line = append(h.line, filled)
}

// next takes what is first in line, nil when there is nothing. It gets the one before
// back, for use again.
func (h *handover) next(done *effects) *effects {
	if done != nil {
		done.reset()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if done != nil && len(h.spare) < maxSpare {
		h.spare = append(h.spare, done)
	}
	if len(h.line) == 0 {
		return nil
	}
	first := h.line[0]
	n := copy(h.line, h.line[1:])
	h.line[n], h.line = nil, h.line[:n]
	return first
}

// run hands over all that is in line. It answers which batches were refused: their
// sessions are to be ended. The caller does not hold the engine's lock.
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

// assign hands a batch out, and reports whether its session took it, or has ended anyway.
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
	case logEffect:
		l := &out.lines[f.at]
		h.log.Log(context.Background(), l.level, l.text, l.args...)
	}
}

// moment is when a call is made, and what it was told of the committer before it took the
// engine's lock.
type moment struct {
	time.Time
	// full: too many changes wait to be written, so that nothing new is decided.
	full bool
}

func (h *handover) moment(now time.Time) moment { return moment{Time: now, full: h.committer.Full()} }
