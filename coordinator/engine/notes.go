package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/checkers"
	"github.com/Automattic/jetmon/coordinator/engine/roster"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// notebook notes what became of each turn of the sites. A nil notebook notes nothing.
type notebook struct {
	pace  pace
	sites *roster.Table
	book  *history.Book
	// place is that of the checker whose results come in.
	place uint8
}

// from says when results come in, and from whom.
func (n *notebook) from(now time.Time, c *checkers.Checker) {
	if n != nil {
		n.book.At(now)
		n.place = n.book.Place(c.Hello().Region, c.Node())
	}
}

// result notes a result that counts: what a checker saw, and the outcome that this is taken for.
// The site's entry is still there.
func (n *notebook) result(c *dispatch.Check, saw *checkers.Sighting, outcome check.Outcome) {
	if n == nil {
		return
	}
	r := n.sites.Entry(schedule.Slot(c.Tag))
	took := saw.Observation.Timing.Total
	turn, interval, ok := history.Noted(c.Site, n.pace.of(r.Interval()), c.Due, saw.At.Add(-took))
	if !ok {
		return
	}
	code := history.Unknown
	switch {
	case outcome == check.OutcomeUp:
		code = history.Took(took)
	case outcome == check.OutcomeDown && saw.Observation.Failure == check.FailureBlocked:
		code = history.Blocked
	case outcome == check.OutcomeDown:
		code = history.Failed
	}
	n.book.Note(r.Bucket(), history.Note{Site: c.Site, Turn: turn, Interval: interval, Code: code, Region: n.place})
}

// drop forgets the notes of a shard. Nobody writes them any more: who owns it later must not.
func (n *notebook) drop(id shard.ID) {
	if n != nil {
		n.book.Reuse(n.book.Take(id))
	}
}

// counts returns the counters. The caller holds the lock.
func (e *Engine) counts() Counters {
	c := e.judge.counts
	if e.notes != nil {
		c.NotesDropped = e.notes.book.Dropped()
	}
	return c
}

// TakeNotes takes what was noted of the sites of a shard since it was taken last. Without
// Options.History there is nothing to take. The caller gives the memory back to ReuseNotes.
func (e *Engine) TakeNotes(id shard.ID) history.Taken {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.notes == nil {
		return history.Taken{}
	}
	return e.notes.book.Take(id)
}

// ReuseNotes takes the memory back of notes that the caller no longer reads.
func (e *Engine) ReuseNotes(t history.Taken) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.notes != nil {
		e.notes.book.Reuse(t)
	}
}
