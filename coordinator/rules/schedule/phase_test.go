package schedule_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// Every interval of v1, and odd ones: due strictly after now, within one interval, every
// interval exactly, and the same for every caller at any time.
func TestNextIsAFixedBeat(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		intervals := []time.Duration{time.Second, 1500 * time.Millisecond, 7 * time.Second, 86399 * time.Second}
		for m := 1; m <= 255; m++ {
			intervals = append(intervals, time.Duration(m)*time.Minute)
		}
		for _, interval := range intervals {
			for range 20 {
				id := check.SiteID(1 + rng.Int64N(1<<40))
				now := time.Unix(rng.Int64N(4_000_000_000), rng.Int64N(1e9))
				first := schedule.Next(id, interval, now)
				if d := first.Sub(now); d <= 0 || d > interval {
					t.Fatalf("site %d every %v: first due %v after now", id, interval, d)
				}
				// Any moment in between leads to the same point, the point itself to the next.
				between := now.Add(time.Duration(rng.Int64N(int64(first.Sub(now)))))
				if again := schedule.Next(id, interval, between); !again.Equal(first) {
					t.Fatalf("site %d every %v: due at %v, asked later at %v", id, interval, first, again)
				}
				if next := schedule.Next(id, interval, first); next.Sub(first) != interval {
					t.Fatalf("site %d every %v: %v between two checks", id, interval, next.Sub(first))
				}
				// After a pause the missed points are one, on the old beat.
				missed := rng.Int64N(1000)
				late := first.Add(time.Duration(missed)*interval + 1)
				if next := schedule.Next(id, interval, late); next.Sub(first) != time.Duration(missed+1)*interval {
					t.Fatalf("site %d every %v: %d missed, next %v after the first", id, interval, missed, next.Sub(first))
				}
			}
		}
	})
}

// v1 counted minutes of the clock modulo the interval: an interval of 7 broke at each
// hour, one over 60 never worked.
func TestIntervalsThatDoNotDivideTheHourAreKept(t *testing.T) {
	t.Parallel()
	for _, minutes := range []int{7, 59, 61, 119, 255} {
		interval := time.Duration(minutes) * time.Minute
		due := schedule.Next(42, interval, start)
		for range 500 {
			next := schedule.Next(42, interval, due)
			if next.Sub(due) != interval {
				t.Fatalf("every %v: %v between %v and %v", interval, next.Sub(due), due, next)
			}
			due = next
		}
	}
}

// Load is flat whatever the ids: in a row, spaced as auto-increments of several masters, random.
func TestPhasesAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	const sites, bins = 300_000, 300
	for name, id := range map[string]func(i int64) check.SiteID{
		"in a row":       func(i int64) check.SiteID { return check.SiteID(1 + i) },
		"every tenth":    func(i int64) check.SiteID { return check.SiteID(7 + 10*i) },
		"every 300th":    func(i int64) check.SiteID { return check.SiteID(300 * i) },
		"powers of two":  func(i int64) check.SiteID { return check.SiteID(i << 32) },
		"high and dense": func(i int64) check.SiteID { return check.SiteID(math.MaxInt64 - i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var counts [bins]int
			for i := range int64(sites) {
				due := schedule.Next(id(i), 5*time.Minute, start)
				counts[min(bins-1, int(due.Sub(start)/time.Second))]++
			}
			// Chi squared over 299 degrees of freedom: mean 299, deviation 24.5.
			expected, chi := float64(sites)/bins, 0.0
			for _, n := range counts {
				chi += (float64(n) - expected) * (float64(n) - expected) / expected
			}
			if chi > 299+8*24.5 {
				t.Errorf("chi squared of the seconds is %.0f, want about 299", chi)
			}
		})
	}
}

func TestNextNeverStandsStill(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{math.MinInt64, -time.Second, 0, 1, time.Microsecond} {
		if d := schedule.Next(1, interval, start).Sub(start); d <= 0 || d > schedule.MinInterval {
			t.Errorf("interval %v: next after %v", interval, d)
		}
	}
}

func TestNextBeforeTheEpoch(t *testing.T) {
	t.Parallel()
	now := time.Date(1955, 11, 5, 6, 0, 0, 0, time.UTC)
	for id := range check.SiteID(100) {
		due := schedule.Next(id, time.Minute, now)
		if d := due.Sub(now); d <= 0 || d > time.Minute || schedule.Next(id, time.Minute, due).Sub(due) != time.Minute {
			t.Errorf("site %d: due %v after now", id, d)
		}
	}
}

// Other coordinators and the next version rely on the phases.
func TestPhasesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for id, want := range map[check.SiteID]string{1: "04:39.200", 2: "02:05.756", 123456789: "02:52.287"} {
		got := schedule.Next(id, 5*time.Minute, time.Unix(0, 0)).UTC().Format("04:05.000")
		if got != want {
			t.Errorf("site %d: first point %s, want %s", id, got, want)
		}
	}
}

// Whoever takes sites over knows which turns fell into the time without an owner, misses none of
// them and adds none. Each is made up for no later after its phase point than that time was long,
// in the order of the phase points.
func TestTurnsThatNobodyMadeAreMadeUpFor(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		missed := 0
		for range 20_000 {
			id := check.SiteID(1 + rng.Int64N(1<<40))
			interval := time.Duration(1+rng.IntN(255)) * time.Minute
			now := time.Unix(rng.Int64N(4_000_000_000), rng.Int64N(1e9))
			idle := now.Add(-time.Duration(rng.Int64N(int64(time.Minute))))
			turn := schedule.Next(id, interval, idle)
			due, is := schedule.Missed(id, interval, idle, now)
			switch {
			case is != !turn.After(now):
				t.Fatalf("site %d every %v: its turn came %v after %v without an owner began, and %v that it was missed", id, interval, turn.Sub(idle), now.Sub(idle), is)
			case !is:
				continue
			}
			missed++
			if due.Before(now) || due.Sub(turn) > now.Sub(idle) || due.Sub(now) != turn.Sub(idle)/4 {
				t.Fatalf("site %d every %v: missed its turn %v ago, %v after nobody made it, and is due %v from now", id, interval, now.Sub(turn), turn.Sub(idle), due.Sub(now))
			}
		}
		if missed < 20 {
			t.Errorf("%d turns were missed: nothing is proved", missed)
		}
	})
}
