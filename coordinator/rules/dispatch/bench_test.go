package dispatch_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// BenchmarkCore is the way of one healthy check through the core: submitted, handed out
// in a batch of about a hundred, checked in. With PerHost every check has a host of its
// own, or one of a hundred; re-checks are urgent, each with one of the nodes to avoid.
func BenchmarkCore(b *testing.B) {
	for _, sessions := range []int{1, 4, 20} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			benchmarkCore(b, sessions, dispatch.Config{}, func(s check.SiteID) dispatch.Check {
				return dispatch.Check{Site: s, Sequence: 1}
			})
		})
	}
	perHost := dispatch.Config{PerHost: 8}
	b.Run("sessions=4,hosts=many", func(b *testing.B) {
		benchmarkCore(b, 4, perHost, func(s check.SiteID) dispatch.Check {
			return dispatch.Check{Site: s, Sequence: 1, Host: uint32(s)}
		})
	})
	b.Run("sessions=4,hosts=100", func(b *testing.B) {
		benchmarkCore(b, 4, perHost, func(s check.SiteID) dispatch.Check {
			return dispatch.Check{Site: s, Sequence: 1, Host: uint32(s%100) + 1}
		})
	})
	b.Run("sessions=20,rechecks", func(b *testing.B) {
		benchmarkCore(b, 20, perHost, func(s check.SiteID) dispatch.Check {
			return dispatch.Check{Site: s, Sequence: 1, Urgent: true, Avoid: strconv.Itoa(int(s % 20))}
		})
	})
}

// benchCore is a core with checkers that answer a while after they were asked.
type benchCore struct {
	*dispatch.Core
	b    *testing.B
	now  time.Time
	out  []dispatch.Batch // the oldest first
	keys []dispatch.Key
	done int
}

func benchmarkCore(b *testing.B, sessions int, config dispatch.Config, checkOf func(check.SiteID) dispatch.Check) {
	// A tick hands out a hundred to each session; 20,000 sites are out at a time.
	turn, depth := 100*sessions, 20_000
	random := uint64(0)
	config.Random = func() uint64 { random += 0x9e3779b97f4a7c15; return random }
	config.SlowStart = -1
	c := &benchCore{Core: dispatch.New(config), b: b, now: at(0)}
	for i := range sessions {
		id, _, _ := c.Join(c.now, dispatch.Hello{Node: fmt.Sprint(i), MaxInFlight: 100_000}, nil)
		if err := c.Grant(id, 100_000); err != nil {
			b.Fatal(err)
		}
	}
	site := check.SiteID(0)
	tick := func() {
		c.now = c.now.Add(10 * time.Millisecond)
		for range turn {
			site = site%1_000_000 + 1
			if err := c.Submit(c.now, checkOf(site)); err != nil {
				b.Fatal(err)
			}
		}
		c.out = append(c.out, c.Assign(c.now)...)
		for c.Open() > depth {
			c.answer()
		}
	}
	for c.done < 100_000 {
		tick()
	}
	c.done = 0
	b.ReportAllocs()
	b.ResetTimer()
	for c.done < b.N {
		tick()
	}
}

// answer checks the oldest batch in.
func (c *benchCore) answer() {
	if len(c.out) == 0 {
		c.out = append(c.out, c.Assign(c.now)...)
	}
	batch := c.out[0]
	c.out = c.out[1:]
	c.keys = c.keys[:0]
	for _, k := range batch.Checks {
		c.keys = append(c.keys, dispatch.Key{Site: k.Site, Sequence: k.Sequence})
	}
	r, err := c.CheckIn(c.now, batch.Session, batch.Ref, c.keys)
	if err != nil || r.Accepted != len(c.keys) {
		c.b.Fatal(r, err)
	}
	if err := c.Grant(batch.Session, len(c.keys)); err != nil {
		c.b.Fatal(err)
	}
	c.done += len(c.keys)
}
