package engine

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func siteIn(id int, bucket check.BucketID) record.Site {
	s := row()
	s.ID, s.Bucket = check.SiteID(id), bucket
	return s
}

// watched checks which sites an engine has.
func watched(t *testing.T, e *Engine, want map[check.SiteID]bool) {
	t.Helper()
	for id, want := range want {
		if _, ok := e.View(time.Unix(1_700_000_000, 0), id); ok != want {
			t.Errorf("site %d is watched: %t", id, ok)
		}
	}
}

func TestAReadingOfManyBucketsChangesNoOthers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	e := bare(now)
	e.Read(now, 3, 40, 90).Put([]record.Site{siteIn(1, 3), siteIn(2, 3), siteIn(3, 40), siteIn(4, 90)})
	r := e.Read(now.Add(time.Minute), 3, 40, 41, 511)
	if taken := r.Put([]record.Site{siteIn(2, 3), siteIn(5, 41), siteIn(6, 511), siteIn(7, 90), siteIn(8, 600)}); taken != 3 {
		t.Errorf("%d rows were taken", taken)
	}
	r.Done()
	watched(t, e, map[check.SiteID]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: false, 8: false})
}

func TestASpanRemovesTheSitesWithoutARowInItsShardsAndBuckets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for name, last := range map[string]check.SiteID{"by id": 20, "by slot": 1 << 40} {
		e := bare(now)
		all := []record.Site{siteIn(1, 3), siteIn(2, 3), siteIn(3, 4), siteIn(4, 40), siteIn(5, 90), siteIn(21, 3)}
		if last > 100 {
			all = append(all, siteIn(1<<40, 600)) // of no bucket
			last++
			all = append(all, siteIn(1<<41, 3))
		}
		e.Read(now, 3, 4, 40, 90).Put(all)
		r := e.Read(now.Add(time.Minute), 3, 40, 90) // 4 is in the shard of 3, but another's to read
		r.PutSpan(record.Span{First: 2, Last: last}, []shard.ID{0, 2}, []record.Site{siteIn(6, 3), siteIn(7, 40)})
		r.Done()
		t.Log(name)
		watched(t, e, map[check.SiteID]bool{1: true, 2: false, 3: true, 4: false, 5: true, 6: true, 7: true, 21: last == 20})
	}
}

// The engine against a model, over random readings of spans with edits through the API between.
func TestTheSitesOfASpanAreThoseThatWereRead(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 200 {
			now := time.Unix(1_700_000_000, 0)
			e := bare(now)
			spread := 1 + rng.IntN(200)*rng.IntN(2) // dense, or not
			ids := make([]int, 60)
			for i := range ids {
				ids[i] = 1 + i*spread
			}
			table := map[check.SiteID]record.Site{}
			want := map[check.SiteID]bool{}
			for range 30 {
				now = now.Add(time.Second)
				for range rng.IntN(10) {
					s := siteIn(ids[rng.IntN(len(ids))], check.BucketID(rng.IntN(4)*100))
					if delete(table, s.ID); rng.IntN(2) == 0 {
						table[s.ID] = s
					}
				}
				a, b := ids[rng.IntN(len(ids))], ids[rng.IntN(len(ids))]
				span := record.Span{First: check.SiteID(min(a, b)), Last: check.SiteID(max(a, b))}
				if rng.IntN(4) == 0 {
					span.Last = 1 << 50
				}
				var rows []record.Site
				for _, s := range table {
					if span.Has(s.ID) {
						rows = append(rows, s)
					}
				}
				slices.SortFunc(rows, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
				r := e.Read(now, 0, 100, 200, 300)
				late := siteIn(ids[rng.IntN(len(ids))], 100)
				if now = now.Add(time.Second); rng.IntN(3) == 0 { // of which the rows do not know
					if rng.IntN(2) == 0 {
						e.Put(now, late)
					} else {
						e.Remove(now, late.ID)
					}
					_, there := e.View(now, late.ID)
					want[late.ID] = there
				} else {
					late.ID = 0
				}
				r.PutSpan(span, []shard.ID{0, 6, 12, 18}, rows)
				r.Done()
				for _, id := range ids {
					if id := check.SiteID(id); id != late.ID && span.Has(id) {
						_, want[id] = table[id]
					}
				}
				watched(t, e, want)
			}
			if t.Failed() {
				return
			}
		}
	})
}

func TestEditsOfASpanAreCountedUnlessTheyWereRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, behind := record.Span{First: 1, Last: 100}, record.Span{First: 1 << 20, Last: 1 << 50}
	before, all := w.engine.Edits(here), w.engine.Edits(behind)
	same := func(want bool, after string) {
		t.Helper()
		n, others := w.engine.Edits(here), w.engine.Edits(behind)
		if (n == before) != want || (others == all) != want { // a span of everything counts everything
			t.Errorf("%d edits after %s, and %d of the rest; it was %d and %d", n, after, others, before, all)
		}
		before, all = n, others
	}
	putBucket(w.engine, w.now, 7, []record.Site{row()})
	same(true, "a reading")
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, row())
	same(false, "an edit")
	moved := row()
	moved.Bucket = 8
	w.now = w.now.Add(time.Second)
	w.engine.Put(w.now, moved)
	same(false, "a move")
	w.engine.Remove(w.now, 42)
	same(false, "a removal")
	far := row()
	far.ID = 1 << 19
	w.engine.Put(w.now, far)
	if n := w.engine.Edits(here); n != before {
		t.Errorf("an edit elsewhere is counted: %d, it was %d", n, before)
	}
	if n := w.engine.Edits(record.Span{First: 1<<19 - 50, Last: 1<<19 + 50}); n == 0 {
		t.Error("an edit is not counted where blocks meet")
	}
}

// The committer may answer while a span is read: that does not make the rows outdated.
func TestACommitWhileASpanIsReadHidesNoEdit(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"edited": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.suspect(w.join("a"), w.join("b"))
			w.decide(quorum.Confirmed)
			if len(w.writes) == 0 {
				t.Fatal("there is nothing to commit")
			}
			r := w.engine.Read(w.now, row().Bucket)
			w.now = w.now.Add(10 * time.Millisecond)
			w.commit()
			edited := row()
			edited.URL = "https://edited.example/"
			rows := []record.Site{edited}
			if gone {
				rows = nil
			}
			r.PutSpan(record.Span{First: 1, Last: 1000}, []shard.ID{shard.Of(row().Bucket)}, rows)
			r.Done()
			v, there := w.engine.View(w.now, row().ID)
			if there == gone || !gone && (w.engine.cases.find(42).Row.URL != edited.URL || v.State.Status != check.StatusDown) {
				t.Errorf("watched: %t, %+v", there, v.State)
			}
		})
	}
}
