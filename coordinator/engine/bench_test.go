package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// instant answers every check at once with a good observation.
type instant struct {
	e     *Engine
	id    dispatch.SessionID
	refs  []dispatch.Ref
	keys  [][]dispatch.Key
	addrs []string
}

func (c *instant) End(string)            {}
func (c *instant) Revoke([]dispatch.Ref) {}

func (c *instant) Assign(b dispatch.Batch, _ []check.Target, _ uint64) bool {
	keys := make([]dispatch.Key, len(b.Checks))
	for i, k := range b.Checks {
		keys[i] = dispatch.Key{Site: k.Site, Sequence: k.Sequence}
	}
	c.refs, c.keys = append(c.refs, b.Ref), append(c.keys, keys)
	return true
}

func (c *instant) answer(b *testing.B, now time.Time) (n int) {
	refs, keys := c.refs, c.keys
	c.refs, c.keys = nil, nil
	var results []Result
	for i, ref := range refs {
		results = results[:0]
		for _, k := range keys[i] {
			results = append(results, Result{Key: k, At: now, Observation: check.Observation{
				Outcome: check.OutcomeUp, HTTPStatus: 200, Method: check.MethodHead,
				ResolvedAddress: c.addrs[int(k.Site)%len(c.addrs)], Timing: check.Timing{Total: 80 * time.Millisecond},
			}})
		}
		r, err := c.e.CheckIn(now, c.id, ref, results)
		if err != nil {
			b.Fatal(err)
		}
		n += r.Accepted
	}
	if n > 0 {
		if err := c.e.Grant(now, c.id, n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// load makes an engine with n sites at five minutes and 40-byte URLs.
func load(b *testing.B, n int) (*Engine, *instant, time.Time) {
	b.Helper()
	return loaded(b, n, false)
}

// loaded is load of an engine that may note what becomes of turns.
func loaded(b *testing.B, n int, history bool) (*Engine, *instant, time.Time) {
	b.Helper()
	now := time.Unix(1_700_000_000, 0)
	var seq uint64
	e := New(Options{
		Policy: lifecycle.DefaultPolicy(), Panel: &world{}, Committer: &world{}, Outliers: outlier.DefaultRule(), History: history,
		Random: func() uint64 { seq++; return seq }, Log: slog.New(slog.DiscardHandler),
		Dispatch: dispatch.Config{
			Lease: time.Minute, SessionTimeout: 15 * time.Second, AvoidFor: 5 * time.Second,
			MaxBatch: 100, MaxQueue: 1 << 20, Random: func() uint64 { seq++; return seq },
		},
	}, now)
	perBucket := n / check.Buckets
	rows := make([]record.Site, perBucket)
	for bucket := range check.Buckets {
		for i := range rows {
			id := bucket*perBucket + i + 1
			rows[i] = record.Site{
				ID: check.SiteID(id), BlogID: check.BlogID(id), Bucket: check.BucketID(bucket), Interval: 5 * time.Minute,
				URL: fmt.Sprintf("https://www.a-web-site-%08d.example/", id), Status: check.StatusRunning,
			}
		}
		e.Read(now, check.BucketID(bucket)).Put(rows)
	}
	c := &instant{e: e}
	for i := range 50_000 {
		c.addrs = append(c.addrs, fmt.Sprintf("198.%d.%d.7:443", 18+i>>8, i&255))
	}
	var err error
	if c.id, err = e.Join(now, dispatch.Hello{Node: "c", Instance: "1", Region: "r", MaxInFlight: 1 << 20}, nil, c); err != nil {
		b.Fatal(err)
	}
	if err := e.Grant(now, c.id, 1<<20); err != nil {
		b.Fatal(err)
	}
	return e, c, now
}

// BenchmarkSites measures the total memory of a site, after each has been
// checked once.
func BenchmarkSites(b *testing.B) {
	for _, n := range []int{200_000, 2_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				e, c, now := load(b, n)
				for range 3000 {
					now = now.Add(100 * time.Millisecond)
					e.Tick(now)
					c.answer(b, now)
				}
				c.addrs = nil
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/float64(n), "B/site")
				runtime.KeepAlive(e)
			}
		})
	}
}

// BenchmarkChecks measures what one healthy check costs the engine: due, handed out,
// checked in.
func BenchmarkChecks(b *testing.B) {
	e, c, now := load(b, 500_000)
	for range 3000 { // all are checked for the first time
		now = now.Add(100 * time.Millisecond)
		e.Tick(now)
		c.answer(b, now)
	}
	b.ReportAllocs()
	done := 0
	b.ResetTimer()
	for done < b.N {
		now = now.Add(100 * time.Millisecond)
		e.Tick(now)
		done += c.answer(b, now)
	}
}

// BenchmarkNotes measures what a healthy check costs more when its turn is noted: two engines,
// with and without, are at work by turns, so that neighbours cost both the same. Notes are taken
// every ten minutes. The costs are medians over runs of 50 ticks, of the check-ins alone.
func BenchmarkNotes(b *testing.B) {
	const sites = 300_000
	plain, c, now := loaded(b, sites, false)
	noting, d, _ := loaded(b, sites, true)
	var costs, more []float64
	done, n := 0, 0
	var one, other time.Duration
	for tick := 0; done < b.N || tick < 6000; tick++ {
		now = now.Add(100 * time.Millisecond)
		plain.Tick(now)
		noting.Tick(now)
		if tick%(6000/shard.Count) == 0 {
			noting.ReuseNotes(noting.TakeNotes(shard.ID(tick / (6000 / shard.Count) % shard.Count)))
		}
		begun := time.Now()
		n += c.answer(b, now)
		between := time.Now()
		d.answer(b, now) // as many: both have the same sites
		one, other = one+between.Sub(begun), other+time.Since(between)
		if tick%50 < 49 {
			continue
		}
		if tick >= 3000 { // all have been checked once
			costs, more = append(costs, float64(one)/float64(n)), append(more, float64(other-one)/float64(n))
			done += n
		}
		n, one, other = 0, 0, 0
	}
	slices.Sort(costs)
	slices.Sort(more)
	b.ReportMetric(costs[len(costs)/2], "ns/check-in")
	b.ReportMetric(more[len(more)/2], "ns/check-in-more")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCases measures what a site that is not compact costs beyond its entry, after a
// dozen checks: one that stays down, one that nobody could confirm, one that is slow.
func BenchmarkCases(b *testing.B) {
	down := check.Observation{
		Outcome: check.OutcomeDown, HTTPStatus: 503, Failure: check.FailureServer, Reason: "status_5xx", Protocol: "HTTP/1.1",
		ResolvedAddress: "198.51.100.7:443", Headers: map[string]string{"server": "nginx", "content-type": "text/html"},
	}
	for name, tt := range map[string]struct {
		state lifecycle.State
		saw   check.Observation
	}{
		"down":      {lifecycle.Initial(check.StatusConfirmedDown, time.Unix(1_600_000_000, 0), false), down},
		"undecided": {lifecycle.State{Stage: lifecycle.Suspect, Status: check.StatusRunning, Failures: 3, Held: true}, down},
		"slow": {lifecycle.Initial(check.StatusRunning, time.Time{}, false),
			check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, Advisories: []check.Advisory{check.AdvisorySlow}}},
	} {
		b.Run(name, func(b *testing.B) {
			const sites = 51_200
			for b.Loop() {
				e, _, now := load(b, sites)
				before := liveBytes()
				for id := check.SiteID(1); id <= sites; id++ {
					s := e.cases.find(id)
					s.State, s.Row.Status = tt.state, tt.state.Status
					for i := range 12 {
						o := tt.saw
						o.Headers = maps.Clone(o.Headers)
						o.ResolvedAddress = strings.Clone(o.ResolvedAddress)
						e.judge.observe(moment{Time: now}, s, record.LocalCheck{Node: "c", At: now.Add(time.Duration(i) * time.Minute), Observation: o})
					}
					e.cases.settle(now, s)
				}
				b.ReportMetric((float64(liveBytes())-float64(before))/sites, "B/site")
				runtime.KeepAlive(e)
			}
		})
	}
}

func liveBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
