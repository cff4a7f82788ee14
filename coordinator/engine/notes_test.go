package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// noted takes the notes of the shard of a bucket.
func (w *world) noted(bucket check.BucketID) (notes []history.Note, regions []string) {
	t := w.engine.TakeNotes(shard.Of(bucket))
	for i := range shard.BucketsPer {
		t.Notes(i, func(of []history.Note) {
			if i != int(bucket)%shard.BucketsPer {
				w.t.Errorf("%d notes of another bucket, number %d", len(of), i)
			}
			notes = append(notes, of...)
		})
	}
	w.engine.ReuseNotes(t)
	return notes, t.Regions
}

// keeping makes a world whose engine notes what becomes of turns.
func keeping(t *testing.T) *world {
	w := newWorld(t)
	w.history = true
	w.engine = w.newEngine()
	return w
}

// The codes of a site that is up, is blocked, fails, and is up again, under its interval and its
// turns, with the region of the checker; good checks of a compact site and all others.
func TestEachResultIsNotedForItsTurn(t *testing.T) {
	t.Parallel()
	w := keeping(t)
	c := w.join("a")
	r := row()
	w.engine.Put(w.now, r)
	blocked := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureBlocked, HTTPStatus: 403}
	slow := up
	slow.Timing.Total = 700 * time.Millisecond
	unknown := check.Observation{Outcome: check.OutcomeUnknown}
	for _, tt := range []struct {
		saw  check.Observation
		want history.Code
	}{
		{slow, history.Took(700 * time.Millisecond)}, // the first check, of a case
		{slow, history.Took(700 * time.Millisecond)}, // a good check of a compact site
		{unknown, history.Unknown},
		{blocked, history.Blocked},
		{down, history.Failed},
	} {
		for len(c.batches) == 0 {
			w.pass(grain, c)
		}
		want := uint32(schedule.Turn(r.ID, r.Interval, w.now))
		w.pass(35*time.Second, c) // the answer is nearer to the next turn
		c.answer(tt.saw)
		notes, regions := w.noted(r.Bucket)
		if len(notes) != 1 {
			t.Fatalf("%d notes of one result: %v", len(notes), notes)
		}
		n := notes[0]
		if n.Code != tt.want || n.Site != r.ID || time.Duration(n.Interval)*time.Second != r.Interval || history.Region(regions[n.Region]) != "here" {
			t.Errorf("%+v of %v, want the code %d", n, regions, tt.want)
		}
		if n.Turn != want {
			t.Errorf("the turn %d, want %d", n.Turn, want)
		}
	}
}

// A re-check counts for the turn before it began, however long it took.
func TestAReCheckIsNotedForTheTurnBefore(t *testing.T) {
	t.Parallel()
	w := keeping(t)
	c := w.join("a")
	r := row()
	w.engine.Put(w.now, r)
	for c.answer(down) == 0 {
		w.pass(grain, c)
	}
	first, _ := w.noted(r.Bucket)
	for len(c.batches) == 0 {
		w.pass(grain, c)
	}
	next := schedule.TurnTime(r.ID, r.Interval, int64(first[0].Turn)+1)
	for !w.now.After(next.Add(time.Second)) {
		w.pass(grain, c)
	}
	slow := down
	slow.Timing.Total = 5 * time.Second
	c.answer(slow)
	if notes, _ := w.noted(r.Bucket); len(notes) != 1 || notes[0].Turn != first[0].Turn || notes[0].Code != history.Failed {
		t.Errorf("noted is %+v, want a failure of turn %d", notes, first[0].Turn)
	}
}

// What a checker in quarantine calls a failure is our own fault; a result that comes twice
// counts once; a result of a site that is gone is not noted.
func TestWhatDoesNotCountIsNotNotedAsIfItDid(t *testing.T) {
	t.Parallel()
	w := keeping(t)
	c := w.join("a")
	r := row()
	w.engine.Put(w.now, r)
	for len(c.batches) == 0 {
		w.pass(time.Second, c)
	}
	c.says(false)
	b := c.batches[0]
	results := []Result{{Key: dispatch.Key{Site: r.ID, Sequence: b.Checks[0].Sequence}, At: w.now, Observation: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureBlocked}}}
	for range 2 {
		if _, err := w.engine.CheckIn(w.now, c.id, b.Ref, results); err != nil {
			t.Fatal(err)
		}
	}
	if notes, _ := w.noted(r.Bucket); len(notes) != 1 || notes[0].Code != history.Unknown {
		t.Errorf("noted is %+v, want that we could not tell, once", notes)
	}
	c.batches = nil
	c.says(true)
	for len(c.batches) == 0 {
		w.pass(time.Second, c)
	}
	w.engine.Remove(w.now, r.ID)
	c.answer(up)
	if notes, _ := w.noted(r.Bucket); len(notes) != 0 {
		t.Errorf("noted of a site that is gone is %+v", notes)
	}
}

// Notes of a shard that another coordinator owns now must not be written under a later term.
func TestNotesGoWithTheirShard(t *testing.T) {
	t.Parallel()
	w := keeping(t)
	c := w.join("a")
	r := row()
	w.engine.Put(w.now, r)
	for c.answer(up) == 0 {
		w.pass(time.Second, c)
	}
	w.engine.DropShard(shard.Of(r.Bucket))
	w.engine.Put(w.now.Add(time.Second), r)
	if notes, _ := w.noted(r.Bucket); len(notes) != 0 {
		t.Errorf("left are %+v", notes)
	}
}

func TestNotesThatNobodyTakesAreCountedWhenTheyGo(t *testing.T) {
	t.Parallel()
	w := keeping(t)
	c := w.join("a")
	w.many(1000)
	for range 100 {
		w.pass(time.Minute, c)
		c.answer(up)
	}
	if n := w.engine.Summary(w.now).Counters.NotesDropped; n == 0 {
		t.Error("none were dropped in 100 minutes")
	}
}

func TestWithoutHistoryNothingIsNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.join("a")
	r := row()
	w.engine.Put(w.now, r)
	for c.answer(up) == 0 {
		w.pass(time.Second, c)
	}
	if notes, regions := w.noted(r.Bucket); notes != nil || regions != nil {
		t.Errorf("noted is %v, %v", notes, regions)
	}
}
