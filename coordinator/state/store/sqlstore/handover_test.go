package sqlstore

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// A notification that is committed while a handover waits for the shard's lock is seen by it,
// although the transaction of the handover began before.
func TestAHandoverSeesWhatIsCommittedWhileItWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		if err := s.HandOver(t.Context(), 0, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		committing, err := s.writer.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer committing.Rollback()
		for _, statement := range []string{
			"UPDATE jetmon_shards SET writes = writes + 1 WHERE shard = 0",
			"INSERT INTO jetmon_delivery_counts (subscription_id, shard, pending, dead) VALUES (0, 0, 1, 0)",
		} {
			if _, err := committing.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		over := make(chan error, 1)
		go func() { over <- s.HandOver(t.Context(), 0, time.Time{}) }()
		waitForLock(t, s)
		if err := committing.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-over; !fault.Is(err, fault.Conflict) {
			t.Errorf("the shard was given back over a notification: %v", err)
		}
		if _, err := s.RenewShard(t.Context(), lease, time.Unix(2e9, 0)); err != nil {
			t.Errorf("the lease has ended: %v", err)
		}
	})
}

// waitForLock waits until a statement about shards waits for a lock. SQLite has one writer at a time: a
// second one begins after the first.
func waitForLock(t *testing.T, s *Store) {
	t.Helper()
	if s.dsn.dialect.name != "mysql" {
		return
	}
	for {
		var waiting int
		err := s.reader.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE jetmon_shards%' AND time_ms > 20").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
