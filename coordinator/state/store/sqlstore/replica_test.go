package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/mariadb"
)

// replicated starts a database and a replica of it, both with the schema.
func replicated(t *testing.T) (primary, follower *mariadb.Server) {
	t.Helper()
	primary = mariadb.NewServerWith(t, mariadb.Options{Args: []string{"--log-bin", "--server-id=1", "--binlog-format=ROW"}})
	follower = mariadb.NewServerWith(t, mariadb.Options{Args: []string{"--server-id=2", "--read-only"}})
	at := strings.TrimSpace(primary.Query(t, "SELECT @@gtid_binlog_pos"))
	follower.Query(t, fmt.Sprintf(`SET GLOBAL gtid_slave_pos = '%s';
	CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, MASTER_USER = 'jetmon', MASTER_PASSWORD = 'correct-horse', MASTER_USE_GTID = slave_pos;
	START SLAVE`, at, primary.Port()))
	if _, err := Migrate(t.Context(), primary.DSN()); err != nil {
		t.Fatal(err)
	}
	until(t, "the replica has the schema", func() bool {
		return strings.TrimSpace(follower.Query(t, "SELECT @@gtid_slave_pos")) == strings.TrimSpace(primary.Query(t, "SELECT @@gtid_binlog_pos"))
	})
	return primary, follower
}

// outageMaker commits outages, each of a site of its own.
type outageMaker struct {
	s     *Store
	lease shard.Lease
	made  int
}

func (m *outageMaker) make(t *testing.T) {
	t.Helper()
	m.made++
	site, err := m.s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: fmt.Sprintf("https://%d.example/", m.made), Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = storetest.Commit(t.Context(), m.s, m.lease.Fence(), record.Change{
		Key: fmt.Sprint(m.made), SiteID: site.ID, BlogID: 1, URL: site.URL, From: check.StatusRunning, To: check.StatusDown, Start: time.Now(), At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seen is how many outages, and sites, a read finds.
func (m *outageMaker) seen(t *testing.T, ctx context.Context) [2]int {
	t.Helper()
	outages, err := m.s.ListOutages(ctx, store.OutageQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	sites, err := m.s.ListSites(ctx, store.SiteQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return [2]int{len(outages), len(sites)}
}

// What may lag is read from the replica while that is not too far behind, and from the database
// otherwise; all else always from the database.
func TestReadsThatMayLagGoToAReplicaThatKeepsUp(t *testing.T) {
	t.Parallel()
	primary, follower := replicated(t)
	const most = 4 * time.Second
	s := open(t, primary.DSN(), Options{Read: follower.DSN(), MostLag: most, LegacyWrites: true})
	lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := &outageMaker{s: s, lease: lease}
	lax := store.MayLag(t.Context())
	m.make(t)
	until(t, "the replica has it", func() bool {
		return strings.TrimSpace(follower.Query(t, "SELECT COUNT(*) FROM jetmon_outages")) == "1" && s.lax(lax) == s.replica.db
	})
	follower.Query(t, "STOP SLAVE SQL_THREAD")
	stopped := time.Now()
	m.make(t)
	behind := m.seen(t, lax)
	if s.lax(t.Context()) != s.reader {
		t.Error("the replica answers who has not said that the answer may lag")
	}
	if got := m.seen(t, t.Context()); got != [2]int{2, 2} {
		t.Errorf("the database has %v outages and sites, want two of each", got)
	}
	if time.Since(stopped) < most && behind != [2]int{1, 1} {
		t.Errorf("the replica was not asked: %v", behind)
	}
	until(t, "the replica is too far behind", func() bool { return m.seen(t, lax) == [2]int{2, 2} })
	if after := time.Since(stopped); after < most/2 || after > most+lagFresh+lagPatience+3*time.Second {
		t.Errorf("it was asked until %s after it had stopped, want about %s", after, most)
	} else {
		t.Logf("asked until %s after it had stopped, with %s allowed", after.Round(time.Millisecond), most)
	}
	follower.Query(t, "START SLAVE SQL_THREAD")
	until(t, "the replica is asked again", func() bool { return s.lax(lax) == s.replica.db })
	if got := m.seen(t, lax); got != [2]int{2, 2} {
		t.Errorf("it has %v, want two of each", got)
	}
	follower.Kill(t)
	m.make(t)
	if got := m.seen(t, lax); got != [2]int{3, 3} {
		t.Errorf("without the replica there are %v, want three of each", got)
	}
}

func TestAReplicaIsAsFarBehindAsItsClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := &replica{most: 5 * time.Second}
		for i := range 200 { // the clock stands still every other second
			r.note(reading{began.Add(time.Duration(i) * time.Second), int64(i / 2)})
		}
		now := began.Add(199 * time.Second)
		for here, want := range map[int64]time.Duration{100: 0, 99: 0, 98: 2 * time.Second, 97: 4 * time.Second, 90: 18 * time.Second} {
			if lag, err := r.lag(now, here); err != nil || lag != want {
				t.Errorf("a replica at %d is %s behind (%v), want %s", here, lag, err, want)
			}
		}
		if lag, err := r.lag(now, 5); err == nil {
			t.Errorf("a replica that is behind all readings is %s behind", lag)
		}
		if len(r.seen) > 80 {
			t.Errorf("%d readings are kept", len(r.seen))
		}
	})
}
