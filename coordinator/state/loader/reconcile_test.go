package loader_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

func TestWordPressComsEditsTakeEffectWithinAMinute(t *testing.T) {
	t.Parallel()
	for name, undigested := range map[string]bool{"with digests": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, 511, func(h *house) {
				h.table.is(func(d *table) { d.undigested = undigested })
				h.gain(0, 31)
				h.loader.Settled()
				h.after(2 * time.Minute)
				h.table.remove(7)
				moved, slow, fresh := site(8), site(9), site(5000)
				moved.Bucket, slow.Interval = 300, time.Hour
				h.table.set(moved)
				h.table.set(slow)
				h.table.set(fresh)
				h.table.polled()
				h.after(time.Minute)
				want(t, "the deleted one", h.interval(7), 0)
				want(t, "the moved one", h.interval(8), every)
				want(t, "the slower one", h.interval(9), time.Hour)
				want(t, "the new one", h.interval(5000), every)
				// Of five edits three are in shard 0, the others in 18 and 24.
				if _, reads := h.table.polled(); !undigested && reads != 15-2+17+17 {
					t.Errorf("%d rows were read", reads)
				}
			})
		})
	}
}

func TestALargeTableIsPolledInRanges(t *testing.T) {
	t.Parallel()
	const rows = 34_000
	story(t, rows, func(h *house) {
		h.gain(0, 31)
		h.loader.Settled()
		h.after(time.Minute)
		polls, reads := h.table.polled()
		ranges := slices.CompactFunc(slices.SortedFunc(slices.Values(polls), func(a, b record.Span) int { return cmp.Compare(a.First, b.First) }),
			func(a, b record.Span) bool { return a == b })
		want(t, "ranges", ranges, []record.Span{{First: 1, Last: 10_000}, {First: 10_001, Last: 20_000}, {First: 20_001, Last: 30_000}, {First: 30_001, Last: math.MaxInt64}})
		want(t, "rows that were read at first", reads, rows)

		h.table.remove(15_000)
		h.after(time.Minute)
		polls, reads = h.table.polled()
		want(t, "sites", len(h.has(rows)), rows-1)
		if reads < 300 || reads > 330 { // one shard of one range
			t.Errorf("%d rows were read for one that is gone", reads)
		}
		if len(polls) < 4 || len(polls) > 6 {
			t.Errorf("%d polls in a minute", len(polls))
		}

		for id := rows + 1; id <= rows+20_000; id++ {
			h.table.set(site(id))
		}
		h.after(time.Minute)
		want(t, "sites when there are more", len(h.has(rows+20_000)), rows+20_000-1)
		h.after(time.Minute)
		h.table.polled()
		h.after(time.Minute)
		polls, _ = h.table.polled()
		if n := len(polls); n < 6 || n > 8 {
			t.Errorf("%d polls in a minute", n)
		}
		for _, s := range polls {
			if s.First > 30_000 && s.Last-s.First >= 10_000 && s.Last < math.MaxInt64 || s.First == 30_001 && s.Last == math.MaxInt64 {
				t.Errorf("sites %d to %d are one range", s.First, s.Last)
			}
		}
	})
}

func TestAnEditRevertedInTheTableIsNotKept(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.gain(0, 31)
		h.loader.Settled()
		h.after(2 * time.Minute)
		edited := site(9)
		edited.Interval = time.Hour
		h.engine.Put(time.Now(), edited)
		h.engine.Remove(time.Now(), 10)
		h.after(time.Minute)
		want(t, "the one that was slower", h.interval(9), every)
		want(t, "the one that was gone", h.interval(10), every)
	})
}

func TestEveryRangeIsReadInFullNowAndThen(t *testing.T) {
	t.Parallel()
	story(t, 12_000, func(h *house) {
		h.gain(0, 31)
		h.loader.Settled()
		h.after(time.Minute)
		h.table.polled()
		h.after(24 * time.Minute)
		if _, reads := h.table.polled(); reads < 12_000 || reads > 4*12_000 {
			t.Errorf("%d rows were read", reads)
		}
	})
}

func TestPollingResumesWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	const rows = 25_000
	story(t, rows, func(h *house) {
		h.table.is(func(d *table) { d.away = true })
		h.gain(0, 31)
		h.loader.Settled()
		h.after(5 * time.Minute)
		h.table.remove(7)
		polls, _ := h.table.polled()
		want(t, "polls of a range that is too large", len(polls), 0)
		h.table.is(func(d *table) { d.away = false })
		h.after(time.Minute)
		want(t, "sites", len(h.has(rows)), rows-1)
		h.table.is(func(d *table) { d.away = true })
		h.after(time.Minute)
		h.table.remove(24_000)
		h.table.is(func(d *table) { d.away = false })
		h.after(time.Minute)
		want(t, "sites", len(h.has(rows)), rows-2)
	})
}

// A page of a load can be older than a poll that saw its site move to a shard that is loaded.
func TestASiteThatMovesWhileItsOldShardIsLoadedIsWatched(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.gain(0, 0)
		h.loader.Settled()
		h.after(99500 * time.Millisecond) // polls are at 0, 50, 100 s
		h.table.is(func(d *table) { d.pause = time.Second })
		h.gain(1, 1) // the first page, read now, is put at 100.5 s
		h.after(200 * time.Millisecond)
		moved := site(20)
		moved.Bucket = 0
		h.table.set(moved)
		h.after(2 * time.Minute)
		want(t, "the moved one", h.interval(20), every)
	})
}

func TestAFailedPollIsRetriedOnce(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.gain(0, 31)
		h.loader.Settled()
		h.after(51 * time.Second)
		slow := site(9)
		slow.Interval = time.Hour
		h.table.set(slow)
		h.table.is(func(d *table) { d.fails = 1 })
		h.after(time.Minute)
		want(t, "the slower one", h.interval(9), time.Hour)
	})
}
