package schedule

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Agenda holds the next step of every site. It is either a routine turn, in the time of a
// Clock that stands still while checks cannot be handed out, or a moment of real time. Real
// time is for steps that must come within seconds under any load: a re-check, the next
// round of a ballot.
//
// A site waits for at most one of the two: each call below replaces the step arranged
// before. An Agenda is not safe for concurrent use.
type Agenda struct {
	clock Clock
	// turns holds slots by the clock's time. waits holds places by real time. They are
	// places, not slots, since few sites wait and a wheel's memory grows with its highest
	// number.
	turns, waits *Wheel
	// places maps each place to the slot that has it. Invariant: a place is either in
	// free or in exactly one Timer.
	places []Slot
	free   []Slot
	due    []Slot // what Advance and Waited return
}

// Timer is one site's handle on an agenda. The caller keeps it for as long as the site may
// wait for a real time. For a site that only has turns, a new Timer of its slot will do in
// each call.
type Timer struct {
	Slot Slot
	// place is one more than the site's place in waits, 0 when it waits for no real time.
	place Slot
}

// Waits reports whether the site waits for a real time.
func (t *Timer) Waits() bool { return t.place != 0 }

// NewAgenda makes an empty agenda at now. Both wheels have ticks of grain and the given
// number of buckets; see New.
func NewAgenda(now time.Time, grain time.Duration, buckets int) *Agenda {
	return &Agenda{clock: *NewClock(now), turns: New(now, grain, buckets), waits: New(now, grain, buckets)}
}

// Turn gives a site its next routine turn, which follows from its id and interval.
func (a *Agenda) Turn(t *Timer, id check.SiteID, interval time.Duration) {
	a.leave(t)
	a.turns.Add(t.Slot, Next(id, interval, a.clock.Now()))
}

// MakeUp gives a site the turn that it missed while nobody made its checks, since idle, or its
// next one, whichever comes first.
func (a *Agenda) MakeUp(t *Timer, id check.SiteID, interval time.Duration, idle time.Time) {
	a.leave(t)
	now := a.clock.Now()
	next := Next(id, interval, now)
	if due, missed := Missed(id, interval, idle, now); missed && due.Before(next) {
		next = due
	}
	a.turns.Add(t.Slot, next)
}

// TurnNow gives a site a turn at once.
func (a *Agenda) TurnNow(t *Timer) {
	a.leave(t)
	a.turns.Add(t.Slot, a.clock.Now())
}

// At has a site wait for a real time.
func (a *Agenda) At(t *Timer, at time.Time) {
	a.turns.Remove(t.Slot)
	if t.place == 0 {
		t.place = a.newPlace(t.Slot) + 1
	}
	a.waits.Add(t.place-1, at)
}

// Rest leaves a site without a next step.
func (a *Agenda) Rest(t *Timer) {
	a.leave(t)
	a.turns.Remove(t.Slot)
}

// Due returns the real time of a site's next step, provided the clock keeps pace from now
// on; false when the site has none.
func (a *Agenda) Due(t *Timer) (time.Time, bool) {
	if t.place != 0 {
		return a.waits.Due(t.place - 1)
	}
	at, ok := a.turns.Due(t.Slot)
	return a.clock.Real(at), ok
}

// Len returns how many sites have a routine turn.
func (a *Agenda) Len() int { return a.turns.Len() }

// Advance moves the clock on to now, unless it is on hold. It returns the slots whose
// routine turn has come, and how long the clock ran: no slot was due earlier than that
// before now. The slots are valid until the next call of Advance or Waited.
func (a *Agenda) Advance(now time.Time, hold bool) (due []Slot, ran time.Duration) {
	before := a.clock.Now()
	own := a.clock.Advance(now, hold)
	a.due = a.turns.Advance(own, a.due[:0])
	return a.due, own.Sub(before)
}

// Waited returns the slots of the sites whose real time has come. Each keeps its place
// until the caller arranges its next step, or lets it rest. The slots are valid until the
// next call of Advance or Waited.
func (a *Agenda) Waited(now time.Time) []Slot {
	a.due = a.waits.Advance(now, a.due[:0])
	for i, place := range a.due {
		a.due[i] = a.places[place]
	}
	return a.due
}

// leave gives the site's place back, if it has one.
func (a *Agenda) leave(t *Timer) {
	if t.place != 0 {
		a.waits.Remove(t.place - 1)
		a.free = append(a.free, t.place-1)
		t.place = 0
	}
}

func (a *Agenda) newPlace(slot Slot) Slot {
	if n := len(a.free); n > 0 {
		place := a.free[n-1]
		a.free = a.free[:n-1]
		a.places[place] = slot
		return place
	}
	a.places = append(a.places, slot)
	return Slot(len(a.places) - 1)
}
