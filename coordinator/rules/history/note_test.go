package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// taken returns what was taken, by bucket of the shard.
func taken(t history.Taken) (of [shard.BucketsPer][]history.Note) {
	for i := range of {
		t.Notes(i, func(notes []history.Note) { of[i] = append(of[i], notes...) })
	}
	return of
}

// A book gives each note back once, with its bucket, in the order in which they came, whatever
// is taken and reused meanwhile.
func TestABookGivesEachNoteBackOnce(t *testing.T) {
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		book := history.NewBook()
		var want [check.Buckets][]history.Note
		for turn := range uint32(200_000) {
			// Some buckets have many notes, most have few.
			bucket := check.BucketID(min(rng.IntN(check.Buckets), rng.IntN(check.Buckets), rng.IntN(check.Buckets)))
			n := history.Note{Site: check.SiteID(bucket) + 1, Turn: turn}
			book.Note(bucket, n)
			want[bucket] = append(want[bucket], n)
			if turn%5000 != 0 && turn != 199_999 {
				continue
			}
			for id := range shard.ID(shard.Count) {
				if turn != 199_999 && rng.IntN(2) == 0 {
					continue
				}
				x := book.Take(id)
				is, sum := taken(x), 0
				for i := range is {
					of := &want[int(id)*shard.BucketsPer+i]
					if !slices.Equal(is[i], *of) {
						t.Fatalf("%d notes of bucket %d of shard %d, want %d", len(is[i]), i, id, len(*of))
					}
					sum, *of = sum+len(*of), nil
				}
				if x.Len() != sum {
					t.Fatalf("%d notes are said to be taken, there are %d", x.Len(), sum)
				}
				book.Reuse(x)
			}
		}
		if n := book.Dropped(); n != 0 {
			t.Errorf("%d were dropped", n)
		}
	})
}

func TestABookThatNobodyReadsHasABound(t *testing.T) {
	t.Parallel()
	book, at := history.NewBook(), day.Start()
	const a, b = 3, 4 // buckets of a shard; nothing is noted of b later
	book.At(at)
	book.Note(b, history.Note{Site: 1})
	noted := uint64(0)
	for i := range 100_000 {
		book.At(at.Add(time.Duration(i) * time.Second))
		book.Note(a, history.Note{Site: 2, Turn: uint32(i)})
		noted++
	}
	is := taken(book.Take(0))
	if n := len(is[a]); n < int(history.NotesAge/time.Second) || n > int(history.NotesAge/time.Second)+1600 {
		t.Errorf("%d notes are left, want those of %v", n, history.NotesAge)
	}
	if last := is[a][len(is[a])-1]; last.Turn != 99_999 {
		t.Errorf("the newest is of turn %d", last.Turn)
	}
	if len(is[b]) != 1 || uint64(len(is[a]))+book.Dropped() != noted {
		t.Errorf("%d and %d are left, %d were dropped of %d", len(is[a]), len(is[b]), book.Dropped(), noted)
	}
}

func TestABookTellsRegionsApartAsLongAsItCan(t *testing.T) {
	t.Parallel()
	book := history.NewBook()
	if n := book.Region(""); n != 0 {
		t.Errorf("no region is number %d", n)
	}
	for i := range history.MaxRegions + 20 {
		name := fmt.Sprint("region ", i)
		n := book.Region(name)
		names := book.Take(0).Regions
		if known := i < history.MaxRegions; known && names[n] != name || !known && n != 0 || n != book.Region(name) {
			t.Errorf("%s is number %d, %s", name, n, names[n])
		}
	}
}

func TestACheckIsNotedForItsTurn(t *testing.T) {
	t.Parallel()
	const site = 42
	turn := func(interval time.Duration, n int64) time.Time { return schedule.TurnTime(site, interval, n) }
	const n = 6_000_000
	for name, tt := range map[string]struct {
		interval  time.Duration
		due, made time.Time
		want      uint32
	}{
		"due on time":                          {5 * time.Minute, turn(5*time.Minute, n), turn(5*time.Minute, n+3), n},
		"due a little late":                    {5 * time.Minute, turn(5*time.Minute, n).Add(2 * time.Minute), time.Time{}, n},
		"due nearer to the next turn":          {5 * time.Minute, turn(5*time.Minute, n).Add(3 * time.Minute), time.Time{}, n + 1},
		"no routine check":                     {5 * time.Minute, time.Time{}, turn(5*time.Minute, n).Add(4 * time.Minute), n},
		"no routine check, at a turn":          {5 * time.Minute, time.Time{}, turn(5*time.Minute, n), n},
		"no routine check, just before a turn": {5 * time.Minute, time.Time{}, turn(5*time.Minute, n).Add(-1), n - 1},
		"under the longest interval":           {history.MaxInterval, turn(history.MaxInterval, 27_000), time.Time{}, 27_000},
	} {
		is, seconds, ok := history.Noted(site, tt.interval, tt.due, tt.made)
		if !ok || is != tt.want || time.Duration(seconds)*time.Second != tt.interval {
			t.Errorf("%s: turn %d of %d s, %t; want %d", name, is, seconds, ok, tt.want)
		}
	}
	for _, interval := range []time.Duration{0, time.Millisecond, 1500 * time.Millisecond, history.MaxInterval + time.Second, -time.Minute} {
		if _, _, ok := history.Noted(site, interval, day.Start(), day.Start()); ok {
			t.Errorf("an interval of %v is noted", interval)
		}
	}
	if _, _, ok := history.Noted(site, time.Minute, time.Unix(-1000, 0), time.Time{}); ok {
		t.Error("a turn before 1970 is noted")
	}
}
