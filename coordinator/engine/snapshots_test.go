package engine

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// killed ends the process and starts another one after a while, which reads what was
// saved and the row.
func (w *world) killed(after time.Duration, r record.Site) {
	w.t.Helper()
	var saved []record.Snapshot
	for _, m := range w.unsaved() {
		if m.Forget {
			continue
		}
		s, err := m.Encode()
		if err != nil {
			w.t.Fatal(err)
		}
		saved = append(saved, s)
	}
	w.now = w.now.Add(after)
	w.asked, w.looked, w.writes = nil, nil, nil
	w.engine = w.newEngine()
	w.engine.Recall(saved)
	w.engine.Put(w.now, r)
	w.engine.Recalled(shard.Of(r.Bucket))
}

// unsaved takes the snapshot updates of the shard that all sites here are in.
func (w *world) unsaved() []snapshot.Update {
	return w.engine.Unsaved(w.now, shard.Of(row().Bucket), 100)
}

func TestAVerificationContinuesAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	if a.answer(down)+b.answer(down) != 1 {
		t.Fatal("no first check")
	}
	w.pass(25*time.Second, a, b)
	if a.answer(down)+b.answer(down) != 1 {
		t.Fatal("no second check")
	}
	first, _ := w.engine.View(w.now, 42)

	w.killed(3*time.Second, row())
	w.stage(lifecycle.Suspect)
	if v, _ := w.engine.View(w.now, 42); v.LastNode != first.LastNode || v.LastNode == "" {
		t.Errorf("the last check was by %q, want %q", v.LastNode, first.LastNode)
	}
	a, b = w.join("a"), w.join("b")
	w.pass(time.Second, a, b)
	if len(a.batches)+len(b.batches) != 0 {
		t.Error("the third check is made too soon after the second")
	}
	w.pass(first.State.Observed.Add(21*time.Second).Sub(w.now), a, b)
	if a.answer(down)+b.answer(down) != 1 {
		t.Fatal("the third check is not made in its time")
	}
	w.stage(lifecycle.Verifying)
	if v, _ := w.engine.View(w.now, 42); !v.State.FirstFailure.Equal(first.State.FirstFailure) || len(v.Checks) != 3 {
		t.Errorf("the run began at %s with %d checks, want %s with 3", v.State.FirstFailure, len(v.Checks), first.State.FirstFailure)
	}

	// And once more while the verifliers are asked: the ballot is repeated.
	w.killed(3*time.Second, row())
	a = w.join("a")
	w.pass(time.Second, a)
	if len(w.asked) != 1 {
		t.Fatalf("%d ballots are open", len(w.asked))
	}
	w.decide(quorum.Confirmed)
	if c := w.commit(); c.To != check.StatusDown || !c.Start.Equal(first.State.FirstFailure) {
		t.Errorf("committed %v from %s on", c.To, c.Start)
	}
}

func TestASnapshotIsRecalledForASiteThatAnEditHasAlreadyAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	if a.answer(down)+b.answer(down) != 1 {
		t.Fatal("no first check")
	}
	m := w.unsaved()
	saved, err := m[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for checked, want := range map[bool]lifecycle.Stage{false: lifecycle.Suspect, true: lifecycle.Up} {
		w.engine = w.newEngine()
		w.engine.Put(w.now, row())
		if checked { // then the engine knows more than the snapshot
			w.engine.Soon(w.now, 42)
			a := w.join("a")
			w.pass(time.Second, a)
			a.answer(up)
		}
		w.engine.Tick(w.now)
		w.engine.Recall([]record.Snapshot{saved})
		putBucket(w.engine, w.now, row().Bucket, []record.Site{row()})
		w.engine.Recalled(shard.Of(row().Bucket))
		w.stage(want)
	}
}

func TestASnapshotFromAClockAheadDoesNotBlockNewChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	for range 2 {
		if a.answer(down)+b.answer(down) != 1 {
			t.Fatal("no check")
		}
		w.pass(25*time.Second, a, b)
	}
	w.killed(-9*time.Minute, row())
	w.stage(lifecycle.Suspect)
	v, _ := w.engine.View(w.now, 42)
	for name, at := range map[string]time.Time{
		"the last check": v.LastCheck, "what was observed": v.State.Observed, "the first failure": v.State.FirstFailure,
	} {
		if at.IsZero() || at.After(w.now) {
			t.Errorf("%s is at %v, after %v", name, at, w.now)
		}
	}
	a, b = w.join("a"), w.join("b")
	w.pass(21*time.Second, a, b)
	if a.answer(down)+b.answer(down) != 1 {
		t.Fatal("the third check is not made in its time")
	}
	w.stage(lifecycle.Verifying)
	if v, _ := w.engine.View(w.now, 42); !v.LastCheck.Equal(w.now) || len(v.Checks) != 3 {
		t.Errorf("it has %d checks, the last at %v", len(v.Checks), v.LastCheck)
	}
}

func TestASnapshotWithTooManyChecksIsShortened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := snapshot.Snapshot{State: lifecycle.State{Stage: lifecycle.Suspect, Status: check.StatusRunning, Failures: 2}}
	for i := range snapshot.MaxChecks + 3 {
		m.Checks = append(m.Checks, record.LocalCheck{Node: fmt.Sprint(i), At: w.now, Observation: down})
	}
	s, err := snapshot.Update{Site: 42, Bucket: 7, URL: row().URL, At: w.now, Snapshot: m}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Recall([]record.Snapshot{s})
	w.engine.Put(w.now, row())
	v, _ := w.engine.View(w.now, 42)
	if n := len(v.Checks); n != snapshot.MaxChecks || v.Checks[0].Node != "0" || v.Checks[n-1].Node != fmt.Sprint(snapshot.MaxChecks+2) {
		t.Errorf("it goes on with %+v", v.Checks)
	}
}

func TestRecoveriesFromAClockAheadAreNotInTheFuture(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Minute, 5 * time.Hour} { // fresh, and not
		w := newWorld(t)
		at := w.now.Add(ahead)
		m := snapshot.Snapshot{State: lifecycle.State{Stage: lifecycle.Up, Status: check.StatusRunning}, Regional: Regional{Down: []string{"x"}, At: at}}
		m.State.Flap.Recoveries = [2]time.Time{at, at}
		s, err := snapshot.Update{Site: 42, Bucket: 7, URL: row().URL, At: at, Snapshot: m}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.engine.Recall([]record.Snapshot{s})
		w.engine.Put(w.now, row())
		v, _ := w.engine.View(w.now, 42)
		if f := v.State.Flap; !f.Recoveries[0].Equal(w.now) || !f.Recoveries[1].Equal(w.now) || v.Regional == nil || !v.Regional.At.Equal(w.now) {
			t.Errorf("%v ahead: %+v, %+v", ahead, f, v.Regional)
		}
	}
}

func TestAChangeThatWasNotCommittedIsVerifiedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect(w.join("a"), w.join("b"))
	w.decide(quorum.Confirmed)
	if len(w.writes) != 1 {
		t.Fatal("nothing is to be written")
	}
	w.killed(3*time.Second, row())
	w.stage(lifecycle.Verifying)
	w.pass(time.Second)
	if len(w.asked) != 1 {
		t.Errorf("%d ballots are open", len(w.asked))
	}
	// If it had been committed, the row would say so, and no ballot would be needed.
	w.killed(3*time.Second, func() record.Site {
		r := row()
		r.Status, r.StatusSince, r.OutageID = check.StatusDown, w.now, 7
		return r
	}())
	w.stage(lifecycle.Down)
}

func TestASnapshotDoesNotCount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		after time.Duration
		edit  func(*record.Site)
	}{
		{"when it is old", 11 * time.Minute, func(*record.Site) {}},
		{"when its clock was too far ahead to say how old it is", -11 * time.Minute, func(*record.Site) {}},
		{"of another URL", time.Second, func(r *record.Site) { r.URL = "http://example.org/other" }},
		{"when the site has been paused since", time.Second, func(r *record.Site) { r.Paused = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.suspect(w.join("a"), w.join("b"))
			r := row()
			tt.edit(&r)
			w.killed(tt.after, r)
			v, ok := w.engine.View(w.now, 42)
			if want := lifecycle.Initial(r.Status, r.StatusSince, r.Paused); !ok || v.State.Stage != want.Stage || v.State.Failures != 0 || len(v.Checks) != 0 {
				t.Errorf("it goes on with %+v", v.State)
			}
		})
	}
}

// A site that had recovered lately is paused, its owner dies, and it is resumed before it has
// another one.
func TestASiteThatWasResumedBesideItsSnapshotIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	w.commit()
	w.pass(time.Minute, a, b)
	for range 3 {
		a.answer(up)
		b.answer(up)
		w.pass(21*time.Second, a, b)
	}
	w.commit()
	resumed := row()
	resumed.Status, resumed.StatusSince = check.StatusRunning, w.now
	paused := resumed
	paused.Paused = true
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, paused)
	w.stage(lifecycle.Paused)
	w.killed(10*time.Second, resumed)
	if v, _ := w.engine.View(w.now, 42); v.State.Stage == lifecycle.Paused || v.Next.IsZero() || v.State.Flap.Recoveries[0].IsZero() {
		t.Fatalf("after its resumption it is %+v, to be checked at %v", v.State, v.Next)
	}
	c := w.join("c")
	w.pass(time.Minute+time.Second, c)
	if c.answer(up) != 1 {
		t.Error("it is not checked")
	}
}

func TestASnapshotIsDeletedWhenTheTroubleIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect(w.join("a"), w.join("b"))
	if updates := w.unsaved(); len(updates) != 1 || updates[0].Forget {
		t.Fatalf("to be kept: %+v", updates)
	}
	w.decide(quorum.Rejected)
	updates := w.unsaved()
	if len(updates) != 1 || !updates[0].Forget {
		t.Fatalf("to be forgotten: %+v", updates)
	}
	w.engine.Unwritten(updates)
	if again := w.unsaved(); !reflect.DeepEqual(again, updates) {
		t.Errorf("what could not be written is %+v, want %+v", again, updates)
	}
	if rest := w.unsaved(); len(rest) != 0 {
		t.Errorf("there is more: %+v", rest)
	}
}

func TestAHealthySiteIsNeverWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	for range 20 {
		w.pass(time.Minute, a)
		a.answer(up)
	}
	if updates := w.unsaved(); len(updates) != 0 || len(w.writes) != 0 || len(w.kept) != 0 {
		t.Errorf("to be kept: %+v, %+v, %+v", updates, w.writes, w.kept)
	}
}

func TestTheNextOwnerOfAShardWritesItsSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect(w.join("a"), w.join("b"))
	w.engine.DropShard(shard.Of(row().Bucket))
	if updates := w.unsaved(); len(updates) != 0 {
		t.Errorf("still to be written: %+v", updates)
	}
}

func TestTheOldestSnapshotsAreTakenFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	var failed, taken []check.SiteID
	for i := range 20 {
		r := row()
		r.ID = check.SiteID(1 + (i*7)%20)
		r.URL = fmt.Sprintf("http://example.com/%d", i)
		w.engine.Put(w.now, r)
		w.engine.Soon(w.now, r.ID)
		w.pass(500*time.Millisecond, a)
		a.answer(down)
		failed = append(failed, r.ID)
	}
	elsewhere := row()
	elsewhere.ID, elsewhere.Bucket = 100, row().Bucket+shard.BucketsPer
	w.engine.Put(w.now, elsewhere)
	w.engine.Soon(w.now, elsewhere.ID)
	w.pass(500*time.Millisecond, a)
	a.answer(down)

	first := w.engine.Unsaved(w.now, shard.Of(row().Bucket), 5)
	w.engine.Unwritten(first) // and they come first again
	w.pass(30*time.Second, a)
	a.answer(down) // a newer failure does not move the site back in the queue
	for {
		updates := w.engine.Unsaved(w.now, shard.Of(row().Bucket), 3)
		if len(updates) == 0 {
			break
		}
		for _, m := range updates {
			taken = append(taken, m.Site)
		}
	}
	if !slices.Equal(taken, failed) {
		t.Errorf("they failed in the order %v and were taken as %v", failed, taken)
	}
	if other := w.engine.Unsaved(w.now, shard.Of(elsewhere.Bucket), 3); len(other) != 1 || other[0].Site != 100 {
		t.Errorf("of the other shard there are %+v", other)
	}
}

func TestASiteThatMovesToAnotherShardIsWrittenThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect(w.join("a"), w.join("b"))
	moved := row()
	moved.Bucket += shard.BucketsPer
	w.engine.Put(w.now, moved)
	if updates := w.unsaved(); len(updates) != 0 {
		t.Errorf("where it was: %+v", updates)
	}
	updates := w.engine.Unsaved(w.now, shard.Of(moved.Bucket), 10)
	if len(updates) != 1 || updates[0].Forget || updates[0].Bucket != moved.Bucket {
		t.Errorf("where it is: %+v", updates)
	}
}
