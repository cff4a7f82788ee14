package intake_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/intake"
	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/coordinator/storm"
	"github.com/Automattic/jetmon/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table stands for the database: rows by id, read in the order of ids, some at a time.
type table struct {
	t *testing.T

	mu       sync.Mutex
	rows     map[check.SiteID]store.Site
	suspects map[store.ShardID][]store.Suspect
	// pause is how long each chunk takes to load, slow how long reading the suspects of a
	// shard takes, fails how many of the next scans fail in the middle.
	pause, slow time.Duration
	fails       int
	// loads are the ranges that were loaded, reads the buckets that were read again;
	// reading is what is being read.
	loads   []span
	reads   []span
	reading []span
}

type span struct{ first, last check.BucketID }

var errAway = errors.New("the database is away")

// chunk is how many rows are handed over at once.
const chunk = 10

func (d *table) begin(s span, list *[]span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.reading {
		// Groups of shards that are not neighbours overlap; what they take does not.
		if s.first == s.last && o.first <= s.first && s.first <= o.last && o.last-o.first < store.BucketsPerShard {
			d.t.Errorf("bucket %d is read twice at once", s.first)
		}
	}
	*list, d.reading = append(*list, s), append(d.reading, s)
}

func (d *table) end(s span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.reading, s)
	d.reading = slices.Delete(d.reading, i, i+1)
}

// next are the next rows of a scan.
func (d *table) next(s span, after check.SiteID) (out []store.Site) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rows {
		if r.ID > after && !r.Paused && s.first <= r.Bucket && r.Bucket <= s.last {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b store.Site) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(chunk, len(out))]
}

func (d *table) ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]store.Site) error) error {
	return d.scan(ctx, span{first, last}, &d.loads, f)
}

func (d *table) ScanBucket(ctx context.Context, b check.BucketID, f func([]store.Site) error) error {
	return d.scan(ctx, span{b, b}, &d.reads, f)
}

func (d *table) scan(ctx context.Context, s span, list *[]span, f func([]store.Site) error) error {
	d.begin(s, list)
	defer d.end(s)
	d.mu.Lock()
	pause, fail := d.pause, d.fails > 0
	d.fails = max(0, d.fails-1)
	d.mu.Unlock()
	for after, n := check.SiteID(0), 0; ; n++ {
		if fail && n == 3 {
			return errAway
		}
		rows := d.next(s, after)
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].ID
		if pause > 0 && list == &d.loads {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := f(rows); err != nil {
			return err
		}
		clear(rows) // they are valid only during the call
	}
}

func (d *table) BucketDigest(_ context.Context, b check.BucketID) (uint64, bool, error) {
	h := fnv.New64a()
	for after := check.SiteID(0); ; {
		rows := d.next(span{b, b}, after)
		if len(rows) == 0 {
			return h.Sum64(), true, nil
		}
		for _, r := range rows {
			fmt.Fprint(h, r.ID, r.URL, r.Interval)
		}
		after = rows[len(rows)-1].ID
	}
}

func (d *table) ListSuspects(ctx context.Context, s store.ShardID) ([]store.Suspect, error) {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.suspects[s]), nil
}

// set writes a row.
func (d *table) set(r store.Site) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[r.ID] = r
}

func (d *table) remove(id check.SiteID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rows, id)
}

// done lists what was loaded, and what was read again.
func (d *table) done() (loads, reads []span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.loads), slices.Clone(d.reads)
}

// idle stands for the panel and the ledger, of whom nothing is wanted here.
type idle struct{}

func (idle) Ask(engine.Question)          {}
func (idle) Abandon(check.SiteID, uint32) {}
func (idle) Look(engine.Question)         {}
func (idle) Record(store.Change)          {}
func (idle) Keep(store.Ballot)            {}
func (idle) Full() bool                   { return false }

// house is an intake between a table and a real engine.
type house struct {
	t      *testing.T
	table  *table
	engine *engine.Engine
	intake *intake.Intake
	stop   func()

	mu    sync.Mutex
	ready int // how often Loaded was called
}

// every is the interval of the sites.
const every = 5 * time.Minute

func site(id int) store.Site {
	return store.Site{
		ID: check.SiteID(id), BlogID: check.BlogID(id), Bucket: check.BucketID(id % check.Buckets), Interval: every,
		URL: fmt.Sprintf("https://%d.example/", id), Status: check.StatusRunning,
	}
}

// story runs f in a bubble, on an intake that runs and sites 1 to n, of which the bucket
// is the id.
func story(t *testing.T, n int, f func(h *house)) {
	storyOf(t, n, span{0, check.Buckets - 1}, f)
}

func storyOf(t *testing.T, n int, of span, f func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, table: &table{t: t, rows: map[check.SiteID]store.Site{}, suspects: map[store.ShardID][]store.Suspect{}}}
		for id := 1; id <= n; id++ {
			h.table.rows[check.SiteID(id)] = site(id)
		}
		h.engine = engine.New(engine.Options{
			Policy: lifecycle.DefaultPolicy(), Storm: storm.DefaultRule(), Panel: idle{}, Ledger: idle{},
			Random: rand.Uint64, Log: slog.New(slog.DiscardHandler),
			Dispatch: dispatch.Config{Lease: time.Hour, SessionTimeout: time.Hour, MaxBatch: 4, MaxQueue: 100, Random: rand.Uint64},
		}, time.Now())
		h.intake = intake.New(intake.Options{
			Store: h.table, Engine: h.engine, First: of.first, Last: of.last, Log: slog.New(slog.DiscardHandler),
			Fence: func(s store.ShardID) (store.Fence, bool) { return store.Fence{Shard: s}, true },
			Loaded: func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.ready++
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.intake.Run(ctx) }()
		h.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		defer h.stop()
		f(h)
	})
}

func (h *house) gain(first, last store.ShardID) {
	for s := first; s <= last; s++ {
		h.intake.Gained(s)
	}
}

// after lets time pass, and all that is to be done then.
func (h *house) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// has are the ids of the sites that the engine watches, of 1 to n.
func (h *house) has(n int) (ids []int) {
	for id := 1; id <= n; id++ {
		if _, ok := h.engine.View(time.Now(), check.SiteID(id)); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// interval is that of a site on the schedule, 0 when it is not there.
func (h *house) interval(id int) time.Duration {
	v, _ := h.engine.View(time.Now(), check.SiteID(id))
	return v.Interval
}

func (h *house) loaded() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// loads are the ranges that were loaded.
func (h *house) loads() []span {
	loads, _ := h.table.done()
	return loads
}
