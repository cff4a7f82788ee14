package committer_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
)

// fixture is a committer on a real database.
type fixture struct {
	*committer.Committer
	store *sqlstore.Store
	path  string
	done  chan error // one result a change: nil when committed
}

// open makes a committer on a SQLite file, with all shards ours. With single it commits one
// change at a time.
func open(tb testing.TB, single bool) *fixture {
	tb.Helper()
	ctx := context.Background()
	path := filepath.Join(tb.TempDir(), "jetmon.db")
	st, err := sqlstore.Open(ctx, "sqlite:"+path, sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	d := &fixture{store: st, path: path, done: make(chan error, 100_000)}
	for s := range shard.ID(shard.Count) {
		if _, err := st.ClaimShard(ctx, s, shard.Owner{Node: shardtest.Node, Endpoint: "n:1", TTL: time.Hour}, time.Now()); err != nil {
			tb.Fatal(err)
		}
	}
	o := committer.Options{
		Store: st, Log: slog.New(slog.DiscardHandler),
		Shards: shardtest.New(),
	}
	if single {
		o.Store = oneByOne{st}
	}
	d.Committer = committer.New(o)
	return d
}

// oneByOne is a store without groups.
type oneByOne struct{ *sqlstore.Store }

// CommitAll commits one after the other.
func (s oneByOne) CommitAll(ctx context.Context, f shard.Fence, cs []record.Change) ([]store.CommitResult, error) {
	var out []store.CommitResult
	for _, c := range cs {
		done, err := storetest.Commit(ctx, s, f, c)
		if err != nil {
			return nil, err
		}
		out = append(out, store.CommitResult{Committed: done})
	}
	return out, nil
}

// Committed and Refused send the results to done.
func (d *fixture) Committed(record.Change, record.Committed) { d.done <- nil }

func (d *fixture) Refused(c record.Change, _ *record.Site) {
	d.done <- fmt.Errorf("%s was refused", c.Key)
}

// start runs the committer until the returned function is called.
func (d *fixture) start(tb testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx, d); err != nil {
			tb.Error(err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// fill makes sites in all buckets, behind the store's back since that is fast.
func (d *fixture) fill(tb testing.TB, sites int) []record.Site {
	tb.Helper()
	db, err := sql.Open("sqlite", d.path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	all := make([]record.Site, sites)
	var args []any
	for i := range all {
		all[i] = record.Site{
			ID: check.SiteID(i + 1), BlogID: check.BlogID(i + 1), Bucket: check.BucketID(i % check.Buckets),
			URL: fmt.Sprintf("https://site-%d.example/", i+1),
		}
		args = append(args, all[i].ID, all[i].BlogID, all[i].Bucket, all[i].URL)
	}
	query := "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) VALUES "
	if _, err := db.Exec(query+strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?),", sites), ","), args...); err != nil {
		tb.Fatal(err)
	}
	return all
}

// goesDown is the change of a site that goes down.
func goesDown(s record.Site, at time.Time) record.Change {
	return record.Change{
		Key: fmt.Sprintf("down-%d-%d", s.ID, at.UnixNano()), SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL,
		From: check.StatusRunning, To: check.StatusDown, Start: at.Add(-time.Minute), At: at, LastCheck: at,
		Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503},
	}
}

// answered waits for n results.
func (d *fixture) answered(n int) error {
	var errs []error
	for range n {
		select {
		case err := <-d.done:
			errs = append(errs, err)
		case <-time.After(2 * time.Minute): // nothing moves, not even on a busy machine
			return errors.Join(append(errs, fmt.Errorf("not all of %d changes are answered: %+v", n, d.Status()))...)
		}
	}
	return errors.Join(errs...)
}

func TestAMassOutageIsCommittedToARealDatabase(t *testing.T) {
	t.Parallel()
	const sites = 5000
	d := open(t, false)
	all := d.fill(t, sites)
	stop := d.start(t)
	began := time.Now()
	for _, s := range all {
		d.Record(goesDown(s, began))
	}
	if err := d.answered(sites); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d changes in %v", sites, time.Since(began).Round(time.Millisecond))
	stop()
	if st := d.Status(); st != (committer.Status{}) {
		t.Errorf("status %+v", st)
	}
	found := map[check.SiteID]bool{}
	for q := (store.OutageQuery{Limit: 1000, OpenOnly: true}); ; {
		page, err := d.store.ListOutages(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			found[o.SiteID] = true
			q.Before = o.Mark()
		}
		if len(page) < q.Limit {
			break
		}
	}
	for q := (store.SiteQuery{Limit: 1000}); ; {
		page, err := d.store.ListSites(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			if row.Status != check.StatusDown || !found[row.ID] {
				t.Errorf("site %d has status %d, has an outage: %v", row.ID, row.Status, found[row.ID])
			}
			q.After = row.ID
		}
		if len(page) < q.Limit {
			break
		}
	}
	if len(found) != sites {
		t.Errorf("%d sites have an outage, want %d", len(found), sites)
	}
	shards := make([]shard.ID, shard.Count)
	for i := range shards {
		shards[i] = shard.ID(i)
	}
	if n, err := storetest.CountNotifications(t.Context(), d.store, shards); err != nil || n != sites {
		t.Errorf("%d notifications (%v), want %d", n, err, sites)
	}
}

// A mass outage of a thousand sites, over and over, in groups and one by one.
func BenchmarkAThousandChanges(b *testing.B) {
	const sites = 1000
	for _, single := range []bool{false, true} {
		b.Run(map[bool]string{false: "in groups", true: "one by one"}[single], func(b *testing.B) {
			d := open(b, single)
			all := d.fill(b, sites)
			defer d.start(b)()
			at := time.Now()
			for b.Loop() {
				at = at.Add(time.Minute)
				for _, s := range all {
					d.Record(goesDown(s, at))
				}
				if err := d.answered(sites); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				for _, s := range all {
					c := goesDown(s, at)
					c.Key, c.From, c.To = "up-"+c.Key, check.StatusDown, check.StatusRunning
					d.Record(c)
				}
				if err := d.answered(sites); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/sites, "µs/change")
		})
	}
}
