package schedule

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestAClock(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	type step struct {
		now  time.Duration
		hold bool
		want time.Duration
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"keeps pace", []step{{50 * time.Millisecond, false, 50 * time.Millisecond}, {time.Second, false, time.Second}}},
		{"stands still on hold and goes on from there", []step{
			{time.Second, false, time.Second}, {2 * time.Second, true, time.Second}, {2500 * time.Millisecond, false, 1500 * time.Millisecond},
		}},
		{"does not make up for a pause", []step{{20 * time.Second, false, maxStep}, {20100 * time.Millisecond, false, maxStep + 100*time.Millisecond}}},
		{"does not go back", []step{{time.Second, false, time.Second}, {500 * time.Millisecond, false, time.Second}, {1200 * time.Millisecond, false, 1200 * time.Millisecond}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := NewClock(start)
			for _, s := range tt.steps {
				if got := c.Advance(at(s.now), s.hold); !got.Equal(at(s.want)) {
					t.Fatalf("at %s it shows %s, want %s", s.now, got.Sub(start), s.want)
				}
			}
		})
	}
}

func TestAClockConvertsItsTimeToRealTime(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := time.Unix(1_700_000_000, 0)
		c := NewClock(now)
		for range 1000 {
			now = now.Add(time.Duration(r.Int64N(int64(3 * time.Second))))
			before := c.Now()
			own := c.Advance(now, r.IntN(3) == 0)
			if moved := own.Sub(before); moved < 0 || moved > maxStep {
				t.Fatalf("it moved by %s", moved)
			}
			d := time.Duration(r.Int64N(int64(time.Hour))) - 30*time.Minute
			if got := c.Real(own.Add(d)); !got.Equal(now.Add(d)) {
				t.Fatalf("%s from now on the clock is %s from now on", d, got.Sub(now))
			}
		}
	})
}
