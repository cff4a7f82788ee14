package outlier

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/seeds"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stretch lets a witness look at n networks, one check each every 100 ms, of which a
// share of bad in ten surprises, for d. It answers the time then.
func stretch(w *Detector, now time.Time, d time.Duration, n, bad int) time.Time {
	for i := 0; d > 0; i++ {
		w.Observe(now, Network(i%n), i%n%10 < bad)
		now, d = now.Add(100*time.Millisecond), d-100*time.Millisecond
	}
	return now
}

func TestStorm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(*Detector)
		want bool
	}{
		{"failures on unrelated networks are a outlier detection", func(w *Detector) { stretch(w, start, time.Minute, 100, 4) }, true},
		{"a failure here and there is none", func(w *Detector) { stretch(w, start, time.Minute, 100, 1) }, false},
		{"a few networks are none, though all fail", func(w *Detector) { stretch(w, start, time.Hour, 9, 10) }, false},
		{"ten thousand sites on one network are none", func(w *Detector) {
			now := stretch(w, start, time.Minute, 50, 0)
			for range 10_000 {
				w.Observe(now, 1000, true)
			}
		}, false},
		{"it is not over before it was calm for a window", func(w *Detector) {
			now := stretch(w, start, time.Minute, 100, 10)
			stretch(w, now, time.Minute, 100, 0)
		}, true},
		{"it is over when it was calm for a window", func(w *Detector) {
			now := stretch(w, start, time.Minute, 100, 10)
			stretch(w, now, 3*time.Minute, 100, 0)
		}, false},
		{"silence is not calm", func(w *Detector) {
			now := stretch(w, start, time.Minute, 100, 10)
			w.Observe(now.Add(time.Hour), 1, false)
			w.Observe(now.Add(2*time.Hour), 1, false)
		}, true},
		{"failures spread over hours are none", func(w *Detector) {
			now := start
			for i := range 1000 {
				w.Observe(now, Network(i), true)
				now = now.Add(10 * time.Second)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := New(DefaultRule())
			tt.run(w)
			if got := !w.Quarantined().IsZero(); got != tt.want {
				s, n := w.Share()
				t.Errorf("quarantined %v with %d of %d, want %v", got, s, n, tt.want)
			}
		})
	}
}

func TestSitesThatShareANetwork(t *testing.T) {
	t.Parallel()
	type seen struct{ resolved, host string }
	tests := []struct {
		name string
		a, b seen
		same bool
	}{
		{"one /24", seen{"192.0.2.77:443", "a.example"}, seen{"192.0.2.1:80", "b.example"}, true},
		{"two /24s", seen{"192.0.2.77:443", "a.example"}, seen{"192.0.3.77:443", "a.example"}, false},
		{"one /48", seen{"[2001:db8:1:2::3]:80", ""}, seen{"[2001:db8:1:ffff::]:80", ""}, true},
		{"two /48s", seen{"[2001:db8:1::]:80", ""}, seen{"[2001:db8:2::]:80", ""}, false},
		{"IPv4 as IPv6", seen{"192.0.2.77:443", ""}, seen{"[::ffff:192.0.2.1]:80", ""}, true},
		{"one domain", seen{"", "www.shop.example.com"}, seen{"", "example.com."}, true},
		{"two domains", seen{"", "www.example.com"}, seen{"", "www.example.org"}, false},
		{"bare names", seen{"", "localhost"}, seen{"", "otherhost"}, false},
		{"nonsense is a name", seen{"nonsense", "a.b.c"}, seen{"", "x.b.c"}, true},
		{"an address is no name", seen{"192.0.2.77:443", "a.example"}, seen{"", "a.example"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := NetworkOf(tt.a.resolved, tt.a.host), NetworkOf(tt.b.resolved, tt.b.host)
			if (a == b) != tt.same {
				t.Errorf("%x and %x, want the same: %v", uint64(a), uint64(b), tt.same)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rule := DefaultRule()
		rule.MaxNetworks = 1000
		w := New(rule)
		r := rand.New(rand.NewPCG(seed, 2))
		for i := range 100_000 {
			w.Observe(start.Add(time.Duration(i)*time.Microsecond), Network(r.Uint64()), true)
			if _, n := w.Share(); n > rule.MaxNetworks+1 {
				t.Fatalf("%d networks are remembered", n)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	w := New(DefaultRule())
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond)
		w.Observe(now, Network(i%50_000), false)
	}
}
