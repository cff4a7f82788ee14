package sqlstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/mariadb"
)

// lockLegacy locks the legacy table as an ALTER of WordPress.com's would, until the end.
func lockLegacy(t *testing.T, dsn string) (unlock func()) {
	t.Helper()
	conn, err := open(t, dsn, Options{}).writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"SET SESSION wait_timeout = 600", "LOCK TABLES jetpack_monitor_sites WRITE"} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	unlock = sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), "UNLOCK TABLES"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(unlock)
	return unlock
}

// crowd asks as many callers of the API do, for a table that is locked. It returns once
// callers wait for a connection.
func crowd(t *testing.T, s *Store, site record.Site) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for i := range 160 {
		callers.Go(func() {
			for ctx.Err() == nil {
				if i%2 == 0 {
					_, _ = s.ListSites(ctx, store.SiteQuery{Limit: 100}) // ends with an error, in time
				} else {
					_, _ = s.UpdateSite(ctx, site.ID, time.Now(), func(s record.Site) (record.Site, error) { s.Paused = !s.Paused; return s, nil })
				}
			}
		})
	}
	leave = sync.OnceFunc(func() {
		cancel()
		callers.Wait()
	})
	t.Cleanup(leave)
	until(t, "callers wait for a connection", func() bool { return s.reader.Stats().WaitCount > 50 })
	return leave
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

func TestAPICallersDelayNothingThatKeepsTheCoordinatorAlive(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	s := open(t, dsn, Options{Migrate: true})
	site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, Bucket: 5 * shard.BucketsPer, URL: "http://example.com/", Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	leases := make([]shard.Lease, shard.Count)
	for i := range leases {
		if leases[i], err = s.ClaimShard(t.Context(), shard.ID(i), shard.Owner{Node: "a", TTL: time.Minute}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	unlock := lockLegacy(t, dsn)
	leave := crowd(t, s, site)

	// A commit holds the row of its shard while it waits for the table.
	var commit errgroup.Group
	commit.Go(func() error {
		_, err := storetest.Commit(t.Context(), s, leases[5].Fence(), record.Change{
			Key: "k", SiteID: site.ID, BlogID: 1, Bucket: site.Bucket, URL: site.URL,
			From: check.StatusRunning, To: check.StatusDown, Start: time.Now(), At: time.Now(),
		})
		return err
	})
	for name, call := range map[string]func(context.Context) error{
		"announcing": func(ctx context.Context) error {
			return s.Announce(ctx, shard.Member{Node: "a", Endpoint: "a:1", Expires: time.Now().Add(time.Minute)})
		},
		"reading who owns what": func(ctx context.Context) error { _, err := s.ListShards(ctx); return err },
		"reading who is there":  func(ctx context.Context) error { _, err := s.ListMembers(ctx, time.Now()); return err },
		"reading notifications": func(ctx context.Context) error {
			_, err := storetest.Due(ctx, s, []shard.ID{1, 2}, time.Now(), 10)
			return err
		},
		"counting notifications": func(ctx context.Context) error { _, err := s.CountDeliveries(ctx, []shard.ID{1, 2}); return err },
		"taking a notification off": func(ctx context.Context) error {
			return s.SettleDeliveries(ctx, leases[2].Fence(), []delivery.Result{{Delivery: delivery.Delivery{ID: 1}, Then: delivery.Delivered}})
		},
		"keeping snapshots": func(ctx context.Context) error {
			return s.KeepSnapshots(ctx, leases[1].Fence(), nil, []check.SiteID{1})
		},
		"renewing leases": func(ctx context.Context) error {
			var g errgroup.Group
			g.SetLimit(8) // as ownership does
			for i, l := range leases {
				if i != 5 {
					g.Go(func() error { _, err := s.RenewShard(ctx, l, time.Now().Add(time.Minute)); return err })
				}
			}
			return g.Wait()
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // as a coordinator has
		if err := call(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}

	// And that commit gives its lease a chance before it has run out.
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	for err = errors.New("not tried"); err != nil && ctx.Err() == nil; {
		once, cancel := context.WithTimeout(ctx, 4*time.Second)
		_, err = s.RenewShard(once, leases[5], time.Now().Add(time.Minute))
		cancel()
	}
	if err != nil {
		t.Errorf("renewing the lease of a shard whose commit waits for the table: %v", err)
	}
	unlock()
	leave()
	_ = commit.Wait() // it may have given up before; the committer would write it again
}
