package coordinator_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// journal lists the rows of the journal of a shard.
func journal(t *testing.T, s store.Store, id shard.ID) []store.CheckRow {
	t.Helper()
	rows, err := s.ListChecks(t.Context(), id, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestTheEndOfACoordinatorLosesNoCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		history coordinator.History
		rows    int
	}{
		{coordinator.History{}, 1},
		{coordinator.History{Off: true}, 0},
	} {
		r := startWith(t, func(o *coordinator.Options) { o.History = tt.history })
		r.ready(t)
		m := &member{rig: r}
		st := m.checker(t)
		site := r.create(t, "http://x.example/")
		m.check(t, st)
		id := shard.Of(check.BucketID(site.GetBucket()))
		if rows := journal(t, r.store, id); len(rows) != 0 {
			t.Errorf("a healthy check is written: %v", rows)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if rows := journal(t, r.store, id); len(rows) != tt.rows {
			t.Errorf("%+v: %d rows at the end, want %d", tt.history, len(rows), tt.rows)
		}
	}
}

func TestAShardThatIsHandedOverHasItsChecksWithIt(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		a := fleet(t, dsn, network, share{"a", 0, 511, nil})["a"]
		shards := map[shard.ID]bool{}
		for i := range int64(8) {
			site := a.make(t, i, fmt.Sprintf("http://x%d.example/", i))
			a.check(t, a.checker(t)) // the session before it has had no heartbeat
			shards[shard.Of(check.BucketID(site.GetBucket()))] = true
		}
		join(t, dsn, network, share{"b", 0, 511, nil})
		moved := 0
		await(t, "half of the shards move", func() bool {
			ofB := 0
			moved = 0
			for _, s := range getFleet(t, a).GetShards() {
				if s.GetOwner() == "b" {
					ofB++
					if shards[shard.ID(s.GetShard())] {
						moved++
					}
				}
			}
			return ofB == shard.Count/2
		})
		if moved == 0 {
			t.Fatal("no shard with a site has moved")
		}
		for _, s := range getFleet(t, a).GetShards() {
			if id := shard.ID(s.GetShard()); shards[id] && s.GetOwner() == "b" && len(journal(t, a.store, id)) == 0 {
				t.Errorf("the checks of shard %d are lost", id)
			}
		}
	})
}
