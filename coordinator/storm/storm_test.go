package storm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stretch lets a witness look at n networks, one check each every 100 ms, of which a
// share of bad in ten surprises, for d. It answers the time then.
func stretch(w *Witness, now time.Time, d time.Duration, n, bad int) time.Time {
	for i := 0; d > 0; i++ {
		w.Observe(now, Network(fmt.Sprint("n", i%n)), i%n%10 < bad)
		now, d = now.Add(100*time.Millisecond), d-100*time.Millisecond
	}
	return now
}

func TestStorm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(*Witness)
		want bool
	}{
		{"failures on unrelated networks are a storm", func(w *Witness) { stretch(w, start, time.Minute, 100, 4) }, true},
		{"a failure here and there is none", func(w *Witness) { stretch(w, start, time.Minute, 100, 1) }, false},
		{"a few networks are none, though all fail", func(w *Witness) { stretch(w, start, time.Hour, 9, 10) }, false},
		{"ten thousand sites on one network are none", func(w *Witness) {
			now := stretch(w, start, time.Minute, 50, 0)
			for range 10_000 {
				w.Observe(now, "the provider", true)
			}
		}, false},
		{"it is not over before it was calm for a window", func(w *Witness) {
			now := stretch(w, start, time.Minute, 100, 10)
			stretch(w, now, time.Minute, 100, 0)
		}, true},
		{"it is over when it was calm for a window", func(w *Witness) {
			now := stretch(w, start, time.Minute, 100, 10)
			stretch(w, now, 3*time.Minute, 100, 0)
		}, false},
		{"silence is not calm", func(w *Witness) {
			now := stretch(w, start, time.Minute, 100, 10)
			w.Observe(now.Add(time.Hour), "n1", false)
			w.Observe(now.Add(2*time.Hour), "n1", false)
		}, true},
		{"failures spread over hours are none", func(w *Witness) {
			now := start
			for i := range 1000 {
				w.Observe(now, Network(fmt.Sprint(i)), true)
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

func TestNetworkOf(t *testing.T) {
	t.Parallel()
	tests := []struct{ resolved, host, want string }{
		{"192.0.2.77:443", "a.example", "192.0.2.0/24"},
		{"[2001:db8:1:2::3]:80", "a.example", "2001:db8:1::/48"},
		{"[::ffff:192.0.2.77]:80", "a.example", "192.0.2.0/24"},
		{"", "www.shop.example.com", "example.com"},
		{"", "example.com.", "example.com"},
		{"", "localhost", "localhost"},
		{"", "", ""},
		{"nonsense", "a.b.c", "b.c"},
	}
	for _, tt := range tests {
		if got := NetworkOf(tt.resolved, tt.host); string(got) != tt.want {
			t.Errorf("NetworkOf(%q, %q) = %q, want %q", tt.resolved, tt.host, got, tt.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	rule := DefaultRule()
	rule.MaxNetworks = 1000
	w := New(rule)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		w.Observe(start.Add(time.Duration(i)*time.Microsecond), Network(fmt.Sprint(r.Uint64())), true)
		if _, n := w.Share(); n > rule.MaxNetworks+1 {
			t.Fatalf("%d networks are remembered", n)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	w := New(DefaultRule())
	names := make([]Network, 50_000)
	for i := range names {
		names[i] = Network(fmt.Sprint("198.51.", i, "/24"))
	}
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond)
		w.Observe(now, names[i%len(names)], false)
	}
}
