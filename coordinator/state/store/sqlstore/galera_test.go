//go:build galera

package sqlstore

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/test/galera"
)

// Stores on different nodes of a cluster are one store: the suite's are spread over them.
func TestTheStoreConformsOnGalera(t *testing.T) {
	t.Parallel()
	cluster := galera.Shared(t)
	schema := cluster.Database(t)
	if _, err := Migrate(t.Context(), schema[0]); err != nil {
		t.Fatal(err)
	}
	s := open(t, schema[1], Options{})
	t.Log("the suite runs on", s.Engine())
	var waits string
	if err := s.leases.QueryRowContext(t.Context(), "SELECT CONCAT(@@global.wsrep_sync_wait, ' ', @@session.wsrep_sync_wait)").Scan(&waits); err != nil || waits != "0 7" {
		t.Errorf("the waits of the server and of a session are %q (%v), want 0 and 7", waits, err)
	}
	t.Run("the suite", func(t *testing.T) {
		fresh := func(t testing.TB) storetest.Database { return spread(t, cluster.Copy(t, schema[0])) }
		storetest.Run(t, fresh)
		storetest.RunRandom(t, 1, fresh)
	})
}
