package outlier

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/seeds"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stretch has a checker probe n networks for length, one check every 100 ms; bad in ten of the
// networks surprise. It returns the time at the end.
func stretch(d *Detector, now time.Time, length time.Duration, n, bad int) time.Time {
	for i := 0; length > 0; i++ {
		d.Observe(now, Network(i%n), i%n%10 < bad)
		now, length = now.Add(100*time.Millisecond), length-100*time.Millisecond
	}
	return now
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(*Detector)
		want bool
	}{
		{"failures on unrelated networks start a quarantine", func(d *Detector) { stretch(d, start, time.Minute, 100, 4) }, true},
		{"an occasional failure does not", func(d *Detector) { stretch(d, start, time.Minute, 100, 1) }, false},
		{"a few networks do not, though all of them fail", func(d *Detector) { stretch(d, start, time.Hour, 9, 10) }, false},
		{"ten thousand sites on one network do not", func(d *Detector) {
			now := stretch(d, start, time.Minute, 50, 0)
			for range 10_000 {
				d.Observe(now, 1000, true)
			}
		}, false},
		{"it does not end before a whole window without surprises", func(d *Detector) {
			now := stretch(d, start, time.Minute, 100, 10)
			stretch(d, now, time.Minute, 100, 0)
		}, true},
		{"it ends after a whole window without surprises", func(d *Detector) {
			now := stretch(d, start, time.Minute, 100, 10)
			stretch(d, now, 3*time.Minute, 100, 0)
		}, false},
		{"silence does not end it", func(d *Detector) {
			now := stretch(d, start, time.Minute, 100, 10)
			d.Observe(now.Add(time.Hour), 1, false)
			d.Observe(now.Add(2*time.Hour), 1, false)
		}, true},
		{"failures spread over hours do not start one", func(d *Detector) {
			now := start
			for i := range 1000 {
				d.Observe(now, Network(i), true)
				now = now.Add(10 * time.Second)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := New(DefaultRule())
			tt.run(d)
			if got := !d.Quarantined().IsZero(); got != tt.want {
				s, n := d.Share()
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
		d := New(rule)
		r := rand.New(rand.NewPCG(seed, 2))
		for i := range 100_000 {
			d.Observe(start.Add(time.Duration(i)*time.Microsecond), Network(r.Uint64()), true)
			if _, n := d.Share(); n > rule.MaxNetworks+1 {
				t.Fatalf("%d networks are remembered", n)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	d := New(DefaultRule())
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond)
		d.Observe(now, Network(i%50_000), false)
	}
}
