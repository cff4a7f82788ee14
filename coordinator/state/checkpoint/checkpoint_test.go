package checkpoint

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an engine that has snapshots, and a store that takes them.
type fake struct {
	mu      sync.Mutex
	unsaved [shard.Count][]snapshot.Update
	away    bool
	shards  *shardtest.Holder
	stuck   shard.ID              // a shard that cannot be written
	bad     map[check.SiteID]bool // what the store refuses
	kept    map[check.SiteID]bool
	takes   time.Duration // how long a write takes
	writes  int
	largest int
	log     bytes.Buffer
	metrics *prometheus.Registry
}

func newFake(snapshots ...snapshot.Update) *fake {
	d := &fake{kept: map[check.SiteID]bool{}, shards: shardtest.New(), stuck: shard.Count, metrics: prometheus.NewRegistry()}
	d.Unwritten(snapshots)
	return d
}

func (d *fake) Unsaved(_ time.Time, s shard.ID, limit int) (out []snapshot.Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out = slices.Clone(d.unsaved[s][:min(limit, len(d.unsaved[s]))])
	d.unsaved[s] = d.unsaved[s][len(out):]
	return out
}

func (d *fake) Unwritten(snapshots []snapshot.Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed(snapshots...)
}

// changed adds snapshots to write.
func (d *fake) changed(snapshots ...snapshot.Update) {
	for _, m := range snapshots {
		s := shard.Of(m.Bucket)
		d.unsaved[s] = append(d.unsaved[s], m)
	}
}

// waiting counts the snapshots that are not written.
func (d *fake) waiting() (n int) {
	for _, snapshots := range d.unsaved {
		n += len(snapshots)
	}
	return n
}

func (d *fake) KeepSnapshots(ctx context.Context, f shard.Fence, keep []record.Snapshot, forget []check.SiteID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return fault.New(fault.Unavailable, "away")
	}
	if f.Shard == d.stuck {
		d.mu.Unlock()
		<-ctx.Done()
		d.mu.Lock()
		return fault.New(fault.Unavailable, "stuck: %w", ctx.Err())
	}
	if d.takes > 0 {
		d.mu.Unlock()
		time.Sleep(d.takes) // in a bubble
		d.mu.Lock()
	}
	if i := slices.IndexFunc(keep, func(s record.Snapshot) bool { return d.bad[s.SiteID] }); i >= 0 {
		return fault.New(fault.Invalid, "site %d is refused", keep[i].SiteID)
	}
	d.writes++
	d.largest = max(d.largest, len(keep)+len(forget))
	for _, s := range keep {
		if shard.Of(s.Bucket) != f.Shard {
			return fault.New(fault.Fenced, "bucket %d is not of shard %d", s.Bucket, f.Shard)
		}
		d.kept[s.SiteID] = true
	}
	for _, id := range forget {
		delete(d.kept, id)
	}
	return nil
}

func (d *fake) ListSnapshots(context.Context, shard.ID) ([]record.Snapshot, error) { return nil, nil }

// run runs a checkpoint and calls each step after one more round; it ends in order.
func (d *fake) run(t *testing.T, steps ...func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	c, err := New(Options{Engine: d, Store: d, Shards: d.shards, Log: slog.New(slog.NewTextHandler(&d.log, nil)), Metrics: d.metrics})
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- c.Run(ctx) }()
	for _, step := range steps {
		time.Sleep(every + time.Millisecond) // in a bubble
		d.mu.Lock()
		step()
		d.mu.Unlock()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func many(n int) (out []snapshot.Update) {
	for i := range n {
		out = append(out, snapshot.Update{Site: check.SiteID(i + 1), Bucket: check.BucketID(i % check.Buckets)})
	}
	return out
}

func TestSnapshotsAreKeptWithinSecondsAndForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(snapshot.Update{Site: 1, Bucket: 3}, snapshot.Update{Site: 2, Bucket: 400})
		d.run(t, func() {
			if !d.kept[1] || !d.kept[2] || d.writes != 2 {
				t.Errorf("after one round %v is kept, by %d writes", d.kept, d.writes)
			}
			d.changed(snapshot.Update{Site: 1, Bucket: 3, Forget: true})
		}, func() {
			if d.kept[1] || !d.kept[2] {
				t.Errorf("after another round %v is kept", d.kept)
			}
		})
		if d.writes != 3 {
			t.Errorf("%d writes, though there was nothing more to say", d.writes)
		}
	})
}

func TestSnapshotsWaitForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(3000)...)
		d.away = true
		d.run(t, func() {
			if d.waiting() != 3000 || len(d.kept) != 0 {
				t.Errorf("%d wait, %d are kept", d.waiting(), len(d.kept))
			}
			d.away = false
		}, func() {
			if d.waiting() != 0 || len(d.kept) != 3000 || d.largest > batch {
				t.Errorf("%d wait, %d are kept, at most %d at once", d.waiting(), len(d.kept), d.largest)
			}
		})
	})
}

func TestAShardThatIsNotOursDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(check.Buckets)...)
		d.shards.Doubt(0, true)
		d.run(t, func() {
			if len(d.kept) != check.Buckets-shard.BucketsPer || d.waiting() != shard.BucketsPer {
				t.Errorf("%d are kept, %d wait", len(d.kept), d.waiting())
			}
		})
	})
}

func TestAnUnwritableShardDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(check.Buckets)...)
		d.stuck = 0
		d.run(t, func() { // while that shard's write hangs
			if len(d.kept) != check.Buckets-shard.BucketsPer {
				t.Errorf("%d are kept", len(d.kept))
			}
			d.stuck = shard.Count
		}, func() {}, func() {
			if len(d.kept) != check.Buckets || d.waiting() != 0 {
				t.Errorf("%d are kept in the end, %d wait", len(d.kept), d.waiting())
			}
		})
	})
}

// A site influences the content of its own snapshot: it must not affect those of others.
func TestARefusedSnapshotDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(3000)...)
		d.bad = map[check.SiteID]bool{1: true, 2: true, 700: true, 3000: true}
		d.run(t, func() {
			if len(d.kept) != 2996 || d.waiting() != 0 {
				t.Errorf("%d are kept, %d wait", len(d.kept), d.waiting())
			}
			for id := range d.bad {
				if d.kept[id] {
					t.Errorf("site %d is kept", id)
				}
			}
		}, func() {})
		if n := strings.Count(d.log.String(), "refused"); n == 0 || strings.Count(d.log.String(), "\n") != 1 {
			t.Errorf("the log has:\n%s", d.log.String())
		}
		families, err := d.metrics.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "jetmon_memos_refused_total" || families[0].GetMetric()[0].GetCounter().GetValue() != 4 {
			t.Errorf("%v: counted %v", err, families)
		}
	})
}

func TestAMassOutageIsKeptWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(100_000)...)
		d.takes = 30 * time.Millisecond // less than 70,000 a second
		d.run(t, func() {}, func() {
			if len(d.kept) != 100_000 || d.waiting() != 0 || d.largest > batch {
				t.Errorf("%d are kept, %d wait, at most %d at once", len(d.kept), d.waiting(), d.largest)
			}
		})
	})
}

func TestAFlushGivesUpInTimeWhileARoundIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(check.Buckets)...)
		d.stuck = 0
		c, err := New(Options{Engine: d, Store: d, Shards: d.shards, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var rounds sync.WaitGroup
		rounds.Go(func() { c.Flush(t.Context()) })
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Flush(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		rounds.Wait()
	})
}

func TestRunEndsWithARound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newFake(many(10)...)
		d.run(t)
		if len(d.kept) != 10 {
			t.Errorf("%d are kept", len(d.kept))
		}
	})
}
