package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/internal/check"
)

// speaking is a holder of all shards with a voice.
func speaking(v shard.Voice) shard.Holder {
	h := shardtest.New()
	h.Speak(v)
	return h
}

// mute restarts the world with a muted engine.
func (w *world) mute() {
	o := w.engine.o
	o.Shards, o.Outliers = speaking(shard.Muted), outlier.DefaultRule()
	o.Dispatch = dispatch.Config{
		Lease: time.Minute, SessionTimeout: 15 * time.Second, AvoidFor: 5 * time.Second,
		MaxBatch: 10, MaxQueue: 1000, SlowStart: -1, Random: o.Random,
	}
	w.engine = New(o, w.now)
}

// untoldRow is a site with one status on record and another that WordPress.com knows.
func untoldRow(on, known check.Status, outage int64) record.Site {
	r := row()
	r.Status, r.StatusSince, r.OutageID = on, time.Unix(1_700_000_000, 0), outage
	r.Untold = &record.Known{Status: known, Since: time.Unix(1_600_000_000, 0)}
	return r
}

// An engine starts from the status that WordPress.com knows, a muted one from the status on
// record, both when it loads many sites and when it adds one.
func TestASiteStartsWithTheReportedStatusUnlessTheEngineIsMuted(t *testing.T) {
	t.Parallel()
	for on := range check.Status(3) {
		for known := range check.Status(3) {
			for _, muted := range []bool{false, true} {
				for _, loaded := range []bool{false, true} {
					w := newWorld(t)
					if muted {
						w.mute()
					}
					r := untoldRow(on, known, 0)
					if loaded {
						reading := w.engine.Read(w.now, r.Bucket)
						reading.Put([]record.Site{r})
						reading.Done()
					} else {
						w.engine.Put(w.now, r)
					}
					want, since := known, r.Untold.Since
					if muted {
						want, since = on, r.StatusSince
					}
					v, _ := w.engine.View(w.now, 42)
					if v.Status != want || v.State.Status != want || !v.StatusSince.Equal(since) || !v.State.StatusSince.Equal(since) || (v.Voice == shard.Muted) != muted {
						t.Errorf("on record %d, known %d, muted %t, loaded %t: %+v", on, known, muted, loaded, v)
					}
				}
			}
		}
	}
}

func TestAChangeOfAMutedEngineIsMarkedMuted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mute()
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	if c := w.commit(); !c.Muted || c.To != check.StatusDown || c.Ballot == nil {
		t.Errorf("change %+v", c)
	}
}

// An outage that was not reported ends with the first good check, and a site that
// WordPress.com may have heard of is reported; the evidence is that check.
func TestAGoodCheckSettlesASiteOnce(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]record.Site{
		"an unreported outage is open":     untoldRow(check.StatusDown, check.StatusRunning, 77),
		"confirmed down, and not reported": untoldRow(check.StatusConfirmedDown, check.StatusRunning, 77),
		"a notification was withdrawn":     {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r.ID == 0 {
				r = untoldRow(check.StatusRunning, check.StatusRunning, 0)
				r.Untold.Unsure = true
			}
			w := newWorld(t)
			a := w.join("a")
			w.engine.Put(w.now, r)
			w.pass(time.Minute, a)
			a.answer(check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy})
			if len(w.writes) != 0 {
				t.Fatalf("a check that could not tell led to %+v", w.writes)
			}
			w.pass(time.Minute, a)
			a.answer(up)
			w.stage(lifecycle.Up)
			c := w.commit()
			if c.From != check.StatusDown || c.To != check.StatusRunning || !c.Since.Equal(r.Untold.Since) || len(c.Checks) != 1 || c.Checks[0].Observation.Outcome != check.OutcomeUp {
				t.Errorf("change %+v", c)
			}
			w.pass(5*time.Minute, a)
			a.answer(up)
			if v, _ := w.engine.View(w.now, 42); len(w.writes) != 1 || v.OutageID != 0 || v.State.Unsettled || w.engine.cases.open[w.slot()] != nil {
				t.Errorf("%d changes, %+v", len(w.writes), v)
			}
		})
	}
}

// The same site fails: it is verified like any other, and the change is from running.
func TestAnUnsettledSiteThatFailsIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, untoldRow(check.StatusConfirmedDown, check.StatusRunning, 77))
	w.pass(time.Minute, a, b)
	for range 3 {
		a.answer(down)
		b.answer(down)
		w.pass(21*time.Second, a, b)
	}
	w.decide(quorum.Confirmed)
	if c := w.commit(); c.From != check.StatusRunning || c.To != check.StatusDown || c.Ballot == nil || len(c.Checks) != 3 {
		t.Errorf("change %+v", c)
	}
	w.stage(lifecycle.Down)
}

// Unsettled outlives an edit, a pause and a crash, and does not come from a snapshot.
func TestAnUnsettledSiteStaysUnsettled(t *testing.T) {
	t.Parallel()
	r := untoldRow(check.StatusDown, check.StatusRunning, 77)
	for name, between := range map[string]func(*world){
		"a new URL": func(w *world) { r := r; r.URL = "http://example.org/"; w.engine.Put(w.now, r) },
		"a pause": func(w *world) {
			r := r
			r.Paused = true
			w.engine.Put(w.now, r)
			r.Paused = false
			w.engine.Put(w.now, r)
		},
		"a crash":    func(w *world) { w.again(r) },
		"no trouble": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.join("a")
			w.engine.Put(w.now, r)
			w.pass(time.Minute, a)
			a.answer(down)
			w.stage(lifecycle.Suspect)
			between(w)
			if v, _ := w.engine.View(w.now, 42); !v.State.Unsettled {
				t.Errorf("it is settled: %+v", v.State)
			}
		})
	}
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, r)
	w.pass(time.Minute, a)
	a.answer(down)
	w.again(row())
	if v, _ := w.engine.View(w.now, 42); v.State.Unsettled || v.State.Failures != 1 {
		t.Errorf("the snapshot makes a reported site unsettled, or is not recalled: %+v", v.State)
	}
}

// again is a crash: the next engine has the snapshots and a row.
func (w *world) again(r record.Site) {
	w.t.Helper()
	var kept []record.Snapshot
	for _, m := range w.engine.Unsaved(w.now, shard.Of(r.Bucket), 10) {
		s, err := m.Encode()
		if err != nil {
			w.t.Fatal(fmt.Errorf("keep a snapshot: %w", err))
		}
		kept = append(kept, s)
	}
	w.engine = w.newEngine()
	w.engine.Recall(kept)
	w.engine.Put(w.now, r)
}

// An engine on trial starts each site from our own verdict, whatever v1 has written into the
// row, and marks its changes.
func TestAnEngineOnTrialBelievesNoRowOfV1(t *testing.T) {
	t.Parallel()
	for on := range check.Status(3) {
		for _, ours := range []check.Status{check.StatusRunning, check.StatusDown} {
			for voice, want := range map[shard.Voice]check.Status{shard.Telling: on, shard.Muted: on, shard.OnTrial: ours} {
				for _, loaded := range []bool{false, true} {
					w := newWorld(t)
					w.mute()
					w.engine.o.Shards = speaking(voice)
					w.engine.Tick(w.now)
					r := row()
					r.Status, r.StatusSince = on, time.Unix(1_700_000_000, 0)
					if on != ours {
						r.Ours = &record.Verdict{Status: ours, Since: time.Unix(1_600_000_000, 0)}
					}
					if loaded {
						reading := w.engine.Read(w.now, r.Bucket)
						reading.Put([]record.Site{r})
						reading.Done()
					} else {
						w.engine.Put(w.now, r)
					}
					if v, _ := w.engine.View(w.now, 42); v.Status != want || v.State.Status != want || v.Voice != voice {
						t.Errorf("on record %d, ours %d, voice %d, loaded %t: %+v", on, ours, voice, loaded, v)
					}
				}
			}
		}
	}
}

func TestAChangeOnTrialIsMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mute()
	w.engine.o.Shards = speaking(shard.OnTrial)
	w.engine.Tick(w.now)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	if c := w.commit(); !c.Muted || !c.Trial || c.To != check.StatusDown {
		t.Errorf("change %+v", c)
	}
}
