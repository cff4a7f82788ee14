package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// errBroken is the error of a broken connection.
var errBroken = errors.New("the connection broke")

// breaker breaks the connection of the n-th call to the database from when it was
// armed: before the call reaches it, or before its answer comes back.
type breaker struct {
	countdown   atomic.Int64
	afterwards  atomic.Bool
	brokeCommit atomic.Bool
}

func (b *breaker) arm(n int, afterwards bool) {
	b.brokeCommit.Store(false)
	b.afterwards.Store(afterwards)
	b.countdown.Store(int64(n))
}

// disarm reports whether the breaker had its turn.
func (b *breaker) disarm() (fired bool) { return b.countdown.Swap(0) <= 0 }

func (b *breaker) wrap(c driver.Connector) driver.Connector { return brittleConnector{c, b} }

type brittleConnector struct {
	driver.Connector
	b *breaker
}

func (c brittleConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &brittleConn{Conn: conn, b: c.b}, nil
}

type brittleConn struct {
	driver.Conn
	b *breaker
	// breaking is set during the call that breaks, broken from then on.
	breaking, broken bool
}

// call makes one call, or breaks.
func (c *brittleConn) call(isCommit bool, f func() error) error {
	if c.broken {
		return errBroken
	}
	if c.b.countdown.Load() == 0 || c.b.countdown.Add(-1) != 0 {
		return f()
	}
	c.b.countdown.Store(-1)
	c.breaking = true
	c.b.brokeCommit.Store(isCommit)
	if c.b.afterwards.Load() {
		if err := f(); err != nil {
			return err
		}
	}
	c.broken = true
	return errors.Join(errBroken, c.Conn.Close())
}

func (c *brittleConn) IsValid() bool { return !c.broken }

func (c *brittleConn) Close() error {
	if c.broken {
		return nil
	}
	return c.Conn.Close()
}

func (c *brittleConn) BeginTx(ctx context.Context, o driver.TxOptions) (tx driver.Tx, err error) {
	err = c.call(false, func() (err error) {
		tx, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
		return err
	})
	return brittleTx{tx, c}, err
}

func (c *brittleConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (r driver.Result, err error) {
	err = c.call(false, func() (err error) {
		r, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, q, args)
		return err
	})
	return r, err
}

func (c *brittleConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (r driver.Rows, err error) {
	err = c.call(false, func() (err error) {
		r, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
		if err == nil && c.breaking {
			return r.Close() // rows that nobody will read keep SQLite's connection open
		}
		return err
	})
	return r, err
}

func (c *brittleConn) Ping(ctx context.Context) error {
	return c.call(false, func() error { return c.Conn.(driver.Pinger).Ping(ctx) })
}

func (c *brittleConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

type brittleTx struct {
	driver.Tx
	c *brittleConn
}

func (t brittleTx) Commit() error   { return t.c.call(true, t.Tx.Commit) }
func (t brittleTx) Rollback() error { return t.c.call(false, t.Tx.Rollback) }

// traces is all that commits write, in numbers.
func traces(t testing.TB, db storetest.Database) []int64 {
	t.Helper()
	var all []int64
	for _, query := range []string{
		"SELECT COUNT(*) FROM jetmon_outages", "SELECT COUNT(*) FROM jetmon_ballots",
		"SELECT COUNT(*) FROM jetmon_transitions", "SELECT (SELECT COUNT(*) FROM jetmon_deliveries) + (SELECT COUNT(*) FROM jetmon_outbox)",
		"SELECT COUNT(*) FROM jetmon_outages WHERE open_site IS NOT NULL",
		"SELECT COALESCE(SUM(status), 0) FROM jetmon_outages",
		"SELECT SUM(site_status) FROM jetpack_monitor_sites",
		"SELECT COUNT(last_status_change) FROM jetpack_monitor_sites",
	} {
		all = append(all, db.Int(t, query))
	}
	return all
}

// steps are the changes of a whole outage.
func steps(site record.Site) []record.Change {
	at := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	base := record.Change{SiteID: site.ID, BlogID: site.BlogID, Bucket: site.Bucket, URL: site.URL, Start: at, At: at}
	opening, confirming, closing := base, base, base
	opening.Key, opening.From, opening.To = "k1", check.StatusRunning, check.StatusDown
	opening.Checks = []record.LocalCheck{{Node: "checker", At: at}}
	opening.Ballot = &record.Ballot{SiteID: site.ID, Bucket: site.Bucket, Verdict: quorum.Confirmed, Opened: at, Decided: at}
	confirming.Key, confirming.From, confirming.To = "k2", check.StatusDown, check.StatusConfirmedDown
	closing.Key, closing.From, closing.To = "k3", check.StatusConfirmedDown, check.StatusRunning
	return []record.Change{opening, confirming, closing}
}

func TestACommitIsAtomicWhereverTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	for _, legacyWrites := range []bool{true, false} {
		for _, afterwards := range []bool{false, true} {
			for _, size := range []int{1, 3} {
				t.Run(fmt.Sprintf("legacy writes %v, answer lost %v, %d in a group", legacyWrites, afterwards, size), func(t *testing.T) {
					t.Parallel()
					onEach(t, func(t *testing.T, dsn string) { breakEverywhere(t, dsn, size, legacyWrites, afterwards) })
				})
			}
		}
	}
}

// stepsOf are the groups of a whole outage of that many sites.
func stepsOf(t *testing.T, s *Store, size int) (groups [3][]record.Change) {
	t.Helper()
	for i := range size {
		site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: fmt.Sprintf("https://%d.example/", i), Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for n, c := range steps(site) {
			c.Key = fmt.Sprint(c.Key, "-", i)
			c.At = c.At.Add(time.Duration(i) * time.Second)
			groups[n] = append(groups[n], c)
		}
	}
	return groups
}

func breakEverywhere(t *testing.T, dsn string, size int, legacyWrites, afterwards bool) {
	db := database(t, dsn)
	b := &breaker{}
	s := open(t, dsn, Options{LegacyWrites: legacyWrites, wrap: b.wrap})
	groups := stepsOf(t, s, size)
	lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	all := int64(size)
	for step, group := range groups {
		before := traces(t, db)
		broken := 0
		for n := 1; ; n++ {
			b.arm(n, afterwards)
			done, err := s.CommitAll(t.Context(), lease.Fence(), group)
			if !b.disarm() {
				if err != nil || slices.ContainsFunc(done, func(r store.CommitResult) bool { return r.Err != nil || r.Committed.TransitionID == 0 }) {
					t.Fatalf("step %d unbroken: %+v, %v", step, done, err)
				}
				break
			}
			broken++
			if !fault.Is(err, fault.Unavailable) || !errors.Is(err, errBroken) {
				t.Fatalf("step %d broken at call %d: %v", step, n, err)
			}
			committed := afterwards && b.brokeCommit.Load()
			if now := traces(t, db); !committed && !cmp.Equal(now, before) {
				t.Fatalf("step %d broken at call %d left %v where there was %v", step, n, now, before)
			} else if committed && now[2] != before[2]+all {
				t.Fatalf("step %d with its answer lost left %v after %v", step, now, before)
			}
			if committed {
				before = traces(t, db)
			}
		}
		if broken < 6 {
			t.Errorf("step %d was broken at %d calls only", step, broken)
		}
		now := traces(t, db)
		if now[2] == 0 || now[2] != now[3] {
			t.Errorf("step %d left %v", step, now)
		}
	}
	if got, want := traces(t, db)[:5], []int64{all, all, 3 * all, 3 * all, 0}; !cmp.Equal(got, want) {
		t.Errorf("in the end there is %v, want %v", got, want)
	}
}

func TestDeliveringANotificationIsAtomic(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		db := database(t, dsn)
		b := &breaker{}
		s := open(t, dsn, Options{LegacyWrites: true, wrap: b.wrap})
		site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storetest.Commit(t.Context(), s, lease.Fence(), steps(site)[0]); err != nil {
			t.Fatal(err)
		}
		told, err := storetest.Due(t.Context(), s, []shard.ID{0}, time.Unix(3e9, 0), 1)
		if err != nil || len(told) != 1 {
			t.Fatalf("due %+v, %v", told, err)
		}
		for n := 1; ; n++ {
			b.arm(n, false)
			err := storetest.Accept(t.Context(), s, told[0], time.Unix(2e9, 0))
			fired := b.disarm()
			left := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE state = 1")
			marked := db.Int(t, "SELECT COUNT(*) FROM jetmon_transitions WHERE delivered_ms = 2000000000000")
			if fired && (err == nil || left != 1 || marked != 0) || !fired && (err != nil || left != 0 || marked != 1) {
				t.Fatalf("broken %v at call %d: %v, %d in the outbox, %d marked", fired, n, err, left, marked)
			}
			if !fired {
				return
			}
		}
	})
}
