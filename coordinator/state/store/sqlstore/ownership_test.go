package sqlstore

import (
	"context"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/test/mariadb"
)

// A statement about several leases would wait for the transactions of all of them, and
// for those of others too, since a server reads so small a table from end to end. So
// each has its own.
func TestAHungTransactionDelaysOnlyTheLeaseOfItsShard(t *testing.T) {
	t.Parallel()
	s := open(t, mariadb.Start(t), Options{Migrate: true})
	leases := make([]shard.Lease, shard.Count)
	for i := range leases {
		var err error
		if leases[i], err = s.ClaimShard(t.Context(), shard.ID(i), shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	const stuck = 5
	tx, err := s.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := fence(txn{ctx: t.Context(), tx: tx}, leases[stuck].Fence()); err != nil {
		t.Fatal(err)
	}
	for i, l := range leases {
		patience := 4 * time.Second // as a coordinator has
		if i == stuck {
			patience = 200 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := s.RenewShard(ctx, l, time.Unix(1e9+15, 0))
		cancel()
		if (err != nil) != (i == stuck) {
			t.Errorf("while shard %d is locked, renewing shard %d: %v", stuck, i, err)
		}
	}
}
