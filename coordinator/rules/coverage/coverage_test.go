package coverage

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/seeds"
)

// shift is a period of a monitor's work: one turn every tenth of a second.
type shift struct {
	long time.Duration
	// hold: the schedule's clock stands; of the turns one in lost is never answered, the
	// others are handed out and answered after so long.
	hold          bool
	lost          int
	handed, whole time.Duration
}

func TestCoverageIsTheShareOfChecksMadeOnTime(t *testing.T) {
	t.Parallel()
	good := shift{long: 10 * time.Minute, handed: 20 * time.Millisecond, whole: time.Second}
	for _, tt := range []struct {
		name    string
		shifts  []shift
		want    float64
		unknown bool
		stretch float64
		p99     time.Duration
	}{
		{name: "nothing has happened", unknown: true, stretch: 1},
		{name: "the first turns may still be answered", shifts: []shift{{long: 25 * time.Second}}, unknown: true, stretch: 1, p99: time.Millisecond},
		{name: "no trouble", shifts: []shift{good}, want: 1, stretch: 1, p99: 24 * time.Millisecond},
		{name: "one in four is not answered", shifts: []shift{{long: 10 * time.Minute, lost: 4, whole: time.Second}}, want: 0.75, stretch: 1, p99: time.Millisecond},
		{name: "answers come after more than half a minute", shifts: []shift{{long: 10 * time.Minute, whole: 31 * time.Second}}, want: 0, stretch: 1, p99: time.Millisecond},
		{name: "nothing can be handed out", shifts: []shift{good, {long: 10 * time.Minute, hold: true}}, want: 0, stretch: maxStretch},
		{name: "it stood for half the window", shifts: []shift{good, {long: 3 * time.Minute, hold: true}}, want: 0.5, stretch: maxStretch, p99: 24 * time.Millisecond},
		{name: "no trouble any more", shifts: []shift{{long: 10 * time.Minute, hold: true}, good}, want: 1, stretch: 1, p99: 24 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_700_000_000, 0)
			m := New(now)
			type answer struct{ at, due time.Time }
			var under []answer
			const step = 100 * time.Millisecond
			n := 0
			for _, s := range tt.shifts {
				for range s.long / step {
					now = now.Add(step)
					under = slices.DeleteFunc(under, func(a answer) bool {
						if a.at.After(now) {
							return false
						}
						m.Answered(now, a.due)
						return true
					})
					if s.hold {
						m.Ran(now, step, 0)
						continue
					}
					m.Ran(now, step, step)
					m.Due(now, 1)
					m.HandedOut(now, now.Add(-s.handed))
					if n++; s.lost == 0 || n%s.lost != 0 {
						under = append(under, answer{now.Add(s.whole), now})
					}
				}
			}
			r := m.Report(now)
			if r.Known == tt.unknown || !tt.unknown && math.Abs(r.Coverage-tt.want) > 0.01 {
				t.Errorf("coverage %v, known %v; want %v", r.Coverage, r.Known, tt.want)
			}
			if math.Abs(r.Stretch-tt.stretch) > 0.05 {
				t.Errorf("stretch %v, want %v", r.Stretch, tt.stretch)
			}
			if r.P99 != tt.p99 {
				t.Errorf("p99 %v, want %v", r.P99, tt.p99)
			}
		})
	}
}

func TestStretchIsRealTimeOverTheSchedulesTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	m := New(now)
	for range 3000 {
		now = now.Add(100 * time.Millisecond)
		m.Ran(now, 100*time.Millisecond, 40*time.Millisecond)
		m.Due(now, 2)
		m.Answered(now, now)
		m.Answered(now, now)
	}
	if r := m.Report(now); math.Abs(r.Stretch-2.5) > 0.01 || math.Abs(r.Coverage-0.4) > 0.01 {
		t.Errorf("stretch %v, coverage %v; want 2.5 and 0.4", r.Stretch, r.Coverage)
	}
}

func TestQuantilesAreAtMostAQuarterTooHigh(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range 100 {
			now := time.Unix(1_700_000_000, 0)
			m := New(now)
			var all []time.Duration
			for range 1 + rnd.IntN(500) {
				d := time.Duration(math.Exp(rnd.Float64()*20)) * time.Microsecond
				all = append(all, d)
				m.HandedOut(now, now.Add(-d))
			}
			slices.Sort(all)
			r := m.Report(now)
			for _, q := range []struct {
				share float64
				got   time.Duration
			}{{0.5, r.P50}, {0.99, r.P99}, {1, r.Most}} {
				exact := all[int(q.share*float64(len(all)-1))]
				if q.got < exact || q.got > exact+exact/4+time.Millisecond {
					t.Fatalf("the %v quantile is %v, was said to be %v", q.share, exact, q.got)
				}
			}
		}
	})
}
