//go:build galera

package sqlstore

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/galera"
)

// backlogged is a cluster of which one node still applies something long, while another one has
// more to tell.
type backlogged struct {
	cluster *galera.Cluster
	dsns    []string
	// ahead and behind are stores on the two nodes; the sessions of behind do not wait for what
	// the node has yet to apply.
	ahead, behind *Store
	sites         []record.Site
}

const (
	fenceRounds = 4
	fencesEach  = 25
	// bulk is how many rows a node has to apply before it learns of a claim.
	bulk = 100_000
)

func newBacklog(t *testing.T) *backlogged {
	t.Helper()
	c := galera.Shared(t)
	b := &backlogged{cluster: c, dsns: c.Database(t)}
	b.ahead = open(t, b.dsns[0], Options{LegacyWrites: true, Migrate: true})
	b.caughtUp(t)
	b.behind = open(t, b.dsns[2], Options{LegacyWrites: true, wrap: impatient})
	db := database(t, b.dsns[0])
	db.Exec(t, "CREATE TABLE bulk (id INT PRIMARY KEY, n INT NOT NULL)")
	db.Exec(t, fmt.Sprintf("INSERT INTO bulk SELECT seq, 0 FROM seq_1_to_%d", bulk))
	for i := range fencesEach {
		site, err := b.ahead.CreateSite(t.Context(), record.Site{BlogID: 1, Bucket: check.BucketID(i * shard.BucketsPer), URL: fmt.Sprintf("https://%d.example/", i), Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		b.sites = append(b.sites, site)
	}
	return b
}

// caughtUp waits until the one node has all that the other one has now: other tests write to the
// cluster as well, and without end.
func (b *backlogged) caughtUp(t *testing.T) {
	t.Helper()
	slow, now := b.cluster.Nodes[2], b.cluster.Nodes[0].Applied(t)
	until(t, fmt.Sprintf("the node has caught up with transaction %d", now), func() bool { return slow.Applied(t) >= now })
}

// impatient makes sessions that read what the node has, as of now.
func impatient(c driver.Connector) driver.Connector { return impatientConnector{c} }

type impatientConnector struct{ driver.Connector }

func (c impatientConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION wsrep_sync_wait = 0", nil)
	return conn, err
}

// overtake has node b claim every shard that a holds, while the node of a is behind, and then
// lets old act for all of them there at once. It returns how often that was before the node knew
// of the claims.
func (b *backlogged) overtake(t *testing.T, round int, old func(i int, l shard.Lease)) int {
	t.Helper()
	now := time.Unix(int64(1e9+round*1000), 0)
	leases := make([]shard.Lease, fencesEach)
	for i := range leases {
		var err error
		if leases[i], err = b.ahead.ClaimShard(t.Context(), shard.ID(i), shard.Owner{Node: "a", TTL: time.Second}, now); err != nil {
			t.Fatal(err)
		}
	}
	b.caughtUp(t)
	if _, err := b.ahead.writer.ExecContext(t.Context(), "UPDATE bulk SET n = n + 1"); err != nil {
		t.Fatal(err)
	}
	var claiming errgroup.Group // at once, so that the node is still behind
	for i := range leases {
		claiming.Go(func() error {
			_, err := b.ahead.ClaimShard(t.Context(), shard.ID(i), shard.Owner{Node: "b", TTL: time.Second}, now.Add(time.Minute))
			return err
		})
	}
	if err := claiming.Wait(); err != nil {
		t.Fatal(err)
	}
	var unaware atomic.Int64
	var acting sync.WaitGroup
	for i, l := range leases {
		acting.Go(func() {
			if owner, err := b.ownerSeen(t.Context(), i); err != nil {
				t.Error(err)
			} else if owner == "a" {
				unaware.Add(1)
			}
			old(i, l)
		})
	}
	acting.Wait()
	return int(unaware.Load())
}

// ownerSeen is who owns a shard as far as the node that is behind knows.
func (b *backlogged) ownerSeen(ctx context.Context, i int) (owner string, err error) {
	err = b.behind.reader.QueryRowContext(ctx, "SELECT owner FROM jetmon_shards WHERE shard = ?", i).Scan(&owner)
	return owner, err
}

// A shard has a new owner, by way of another node, and the node of the old one does not know
// yet. Nothing that the old one decides is written: certification finds the fence's change of
// the row that the claim has changed.
func TestNoFenceIsPassedOnAGaleraNodeThatIsBehind(t *testing.T) {
	t.Parallel()
	b := newBacklog(t)
	const tries = fenceRounds * fencesEach
	var refused atomic.Int64
	unaware := 0
	for round := range fenceRounds {
		unaware += b.overtake(t, round, func(i int, l shard.Lease) {
			site := b.sites[i]
			_, err := storetest.Commit(t.Context(), b.behind, l.Fence(), record.Change{
				Key: fmt.Sprintf("%d-%d", round, i), SiteID: site.ID, BlogID: 1, Bucket: site.Bucket, URL: site.URL,
				From: check.StatusRunning, To: check.StatusDown, Start: time.Now(), At: time.Now(),
			})
			// While the node is behind it is asked again and again, for a time.
			if fault.Is(err, fault.Fenced) || fault.Is(err, fault.Unavailable) {
				refused.Add(1)
			} else {
				t.Errorf("round %d: the old owner of shard %d writes: %v", round, i, err)
			}
		})
	}
	t.Logf("the old owner's write was refused in %d of %d tries, in %d of which its node did not know of the new owner", refused.Load(), tries, unaware)
	if unaware < tries/10 {
		t.Errorf("the node was behind in %d tries of %d only: this shows little", unaware, tries)
	}
	if n := database(t, b.dsns[1]).Int(t, "SELECT COUNT(*) FROM jetmon_outages"); n != 0 {
		t.Errorf("%d outages were written", n)
	}
	// A fence that leaves the row as it was would let them pass, so the above shows something.
	var passed atomic.Int64
	blind := func(i int, l shard.Lease) {
		tx, err := b.behind.writer.BeginTx(t.Context(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		var matched int64
		r, err := tx.ExecContext(t.Context(), "UPDATE jetmon_shards SET term = term WHERE shard = ? AND owner = ? AND term = ?", l.Shard, l.Node, l.Term)
		if err == nil {
			matched, err = r.RowsAffected()
		}
		if err == nil && matched == 1 {
			_, err = tx.ExecContext(t.Context(), "INSERT INTO jetmon_site_order (site_id, last_seq) VALUES (?, 1)", 1000+l.Term*100+uint64(i))
		}
		if err == nil && matched == 1 && tx.Commit() == nil {
			passed.Add(1)
			return
		}
		_ = tx.Rollback()
	}
	rounds := 0
	for ; passed.Load() == 0 && rounds < 5; rounds++ { // on a busy machine the node may catch up
		b.overtake(t, fenceRounds+rounds, blind)
	}
	t.Logf("a fence that changes nothing was passed in %d of %d tries", passed.Load(), rounds*fencesEach)
	if passed.Load() == 0 {
		t.Error("a fence that changes nothing was never passed: the node is not behind")
	}
}
