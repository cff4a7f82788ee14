package loader_test

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

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/loader"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table stands for the database: rows by id, read in the order of ids, some at a time.
type table struct {
	t *testing.T

	mu        sync.Mutex
	rows      map[check.SiteID]record.Site
	snapshots map[shard.ID][]record.Snapshot
	// pause is how long each chunk takes to load, slow how long reading the snapshots of a
	// shard takes, fails how many of the next scans fail in the middle.
	pause, slow time.Duration
	fails       int
	// away fails every poll; undigested is a database without digests.
	away, undigested bool
	// loads has the bucket ranges that were loaded, reading those that are being loaded.
	loads, reading []span
	// polls has the spans that were polled, reads the number of rows read from them.
	polls []record.Span
	reads int
	hosts
}

type span struct{ first, last check.BucketID }

var errAway = errors.New("the database is away")

// chunk returns how many of n rows a scan hands over at once.
func chunk(n int) int {
	if n < 10_000 {
		return 10
	}
	return 1000
}

func (d *table) begin(s span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loads, d.reading = append(d.loads, s), append(d.reading, s)
}

func (d *table) end(s span) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.reading, s)
	d.reading = slices.Delete(d.reading, i, i+1)
}

// next returns the next rows of a scan.
func (d *table) next(s span, after check.SiteID) (out []record.Site) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rows {
		if r.ID > after && !r.Paused && s.first <= r.Bucket && r.Bucket <= s.last {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(chunk(len(d.rows)), len(out))]
}

func (d *table) ScanBuckets(ctx context.Context, first, last check.BucketID, f func([]record.Site) error) error {
	s := span{first, last}
	d.begin(s)
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
		if pause > 0 {
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

func (d *table) SpanEnd(_ context.Context, after check.SiteID, n int) (check.SiteID, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return 0, false, errAway
	}
	var ids []check.SiteID
	for id := range d.rows {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if len(ids) < n {
		return 0, false, nil
	}
	return ids[n-1], true, nil
}

func (d *table) ReadSpan(_ context.Context, in record.Span, known map[shard.ID]store.Digest) (store.SpanRead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.polls = append(d.polls, in)
	if d.away || d.fails > 0 {
		d.fails = max(0, d.fails-1)
		return store.SpanRead{}, errAway
	}
	read := store.SpanRead{Digests: map[shard.ID]store.Digest{}}
	for s := range known {
		read.Digests[s] = 1
	}
	for _, r := range d.rows {
		if _, asked := known[shard.Of(r.Bucket)]; asked && !r.Paused && in.Has(r.ID) {
			read.Sites = append(read.Sites, r)
		}
	}
	slices.SortFunc(read.Sites, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range read.Sites {
		s, h := shard.Of(r.Bucket), fnv.New64a()
		fmt.Fprint(h, read.Digests[s], r.ID, r.Bucket, r.URL, r.Interval)
		read.Digests[s] = store.Digest(h.Sum64() | 1)
	}
	read.Rows = len(read.Sites)
	for s, old := range known {
		if d.undigested {
			read.Digests[s] = 0
		}
		if d.undigested || read.Digests[s] != old {
			read.Changed = append(read.Changed, s)
		}
	}
	read.Sites = slices.DeleteFunc(read.Sites, func(r record.Site) bool { return !slices.Contains(read.Changed, shard.Of(r.Bucket)) })
	d.reads += len(read.Sites)
	return read, nil
}

func (d *table) ShardRemarks(context.Context, shard.ID) ([]record.Remark, error) { return nil, nil }

func (d *table) ListSnapshots(ctx context.Context, s shard.ID) ([]record.Snapshot, error) {
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
	return slices.Clone(d.snapshots[s]), nil
}

// is changes how the table behaves.
func (d *table) is(f func(*table)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// set writes a row.
func (d *table) set(r record.Site) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[r.ID] = r
}

func (d *table) remove(id check.SiteID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rows, id)
}

// polled returns the spans that were polled, and the number of rows that were read, since
// its last call.
func (d *table) polled() (polls []record.Span, reads int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	polls, reads = d.polls, d.reads
	d.polls, d.reads = nil, 0
	return polls, reads
}

// idle stands for the panel and the committer, of whom nothing is wanted here.
type idle struct{}

func (idle) Ask(engine.Question)          {}
func (idle) Abandon(check.SiteID, uint32) {}
func (idle) Look(engine.Question)         {}
func (idle) Record(record.Change)         {}
func (idle) Keep(record.Ballot)           {}
func (idle) Full() bool                   { return false }

// house is an loader between a table and a real engine.
type house struct {
	t      *testing.T
	table  *table
	engine *engine.Engine
	loader *loader.Loader
	shards *shardtest.Holder
	stop   func()
}

// every is the interval of the sites.
const every = 5 * time.Minute

func site(id int) record.Site {
	return record.Site{
		ID: check.SiteID(id), BlogID: check.BlogID(id), Bucket: check.BucketID(id % check.Buckets), Interval: every,
		URL: fmt.Sprintf("https://%d.example/", id), Status: check.StatusRunning,
	}
}

// story runs f in a bubble, with a running loader and sites 1 to n, each in the bucket of
// its id.
func story(t *testing.T, n int, f func(h *house)) {
	storyOf(t, n, span{0, check.Buckets - 1}, f)
}

func storyOf(t *testing.T, n int, of span, f func(h *house)) {
	t.Helper()
	storySampled(t, n, of, 0, f)
}

// storySampled is a story of a loader with a sample.
func storySampled(t *testing.T, n int, of span, sample int, f func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, shards: shardtest.New(), table: &table{t: t, rows: map[check.SiteID]record.Site{}, snapshots: map[shard.ID][]record.Snapshot{}}}
		for id := 1; id <= n; id++ {
			h.table.rows[check.SiteID(id)] = site(id)
		}
		h.engine = engine.New(engine.Options{
			Policy: lifecycle.DefaultPolicy(), Outliers: outlier.DefaultRule(), Panel: idle{}, Committer: idle{},
			Random: rand.Uint64, Log: slog.New(slog.DiscardHandler),
			Dispatch: dispatch.Config{Lease: time.Hour, SessionTimeout: time.Hour, MaxBatch: 4, MaxQueue: 100, Random: rand.Uint64},
		}, time.Now())
		h.loader = loader.New(loader.Options{
			Store: h.table, Engine: h.engine, First: of.first, Last: of.last, Log: slog.New(slog.DiscardHandler),
			Shards: h.shards, Sample: sample,
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.loader.Run(ctx) }()
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

func (h *house) gain(first, last shard.ID) {
	for s := first; s <= last; s++ {
		h.loader.Gained(s)
	}
}

// after lets time pass, and waits until everybody is idle.
func (h *house) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// has returns the ids, of 1 to n, of the sites that the engine watches.
func (h *house) has(n int) (ids []int) {
	for id := 1; id <= n; id++ {
		if _, ok := h.engine.View(time.Now(), check.SiteID(id)); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// interval returns the interval of a site on the schedule, 0 when it is not there.
func (h *house) interval(id int) time.Duration {
	v, _ := h.engine.View(time.Now(), check.SiteID(id))
	return v.Interval
}

func (h *house) loaded() bool {
	select {
	case <-h.loader.Loaded():
		return true
	default:
		return false
	}
}

// loads returns the bucket ranges that were loaded.
func (h *house) loads() []span {
	h.table.mu.Lock()
	defer h.table.mu.Unlock()
	return slices.Clone(h.table.loads)
}
