package sqlstore

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
)

// spread is a database with its schema that several servers have: of the stores of a test, each
// is on the next one.
func spread(t testing.TB, dsns []string) storetest.Database {
	t.Helper()
	var turn atomic.Int64
	next := func() string { return dsns[int(turn.Add(1)-1)%len(dsns)] }
	db := database(t, next())
	db.Open = func(t testing.TB, legacyWrites bool) store.Store {
		return open(t, next(), Options{LegacyWrites: legacyWrites})
	}
	return db
}

// strangers is the environment variable with the DSNs of servers that the suite shall run on as
// well, with a blank between them: several are servers of one cluster. Each names no database;
// its user may create some.
const strangers = "JETMON_TEST_DSN"

// stranger makes empty databases on such servers.
type stranger struct {
	servers []string
	made    atomic.Int64
	// drops is held to drop a database: TiDB's list of all tables fails when one goes meanwhile, and
	// a migration reads it.
	drops sync.RWMutex
}

func newStranger() (s *stranger, ok bool) {
	s = &stranger{servers: strings.Fields(os.Getenv(strangers))}
	return s, len(s.servers) > 0
}

// fresh makes a database, which ends with the test, and returns its DSN by way of each server.
func (s *stranger) fresh(t testing.TB) (dsns []string) {
	t.Helper()
	name := fmt.Sprintf("jetmon_test_%d_%d", os.Getpid(), s.made.Add(1))
	for _, server := range s.servers {
		dsns = append(dsns, strings.TrimSuffix(server, "/")+"/"+name)
	}
	d, err := ParseDSN(dsns[0])
	if err != nil {
		t.Fatal(err)
	}
	cfg := d.mysql.Clone()
	cfg.DBName, cfg.Addr = "", d.hosts[0]
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := pool(c, 1)
	exec := func(query string) {
		t.Helper()
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec("CREATE DATABASE " + name)
	t.Cleanup(func() {
		s.drops.Lock()
		defer s.drops.Unlock()
		exec("DROP DATABASE " + name)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return dsns
}

// migrated is fresh with the schema.
func (s *stranger) migrated(t testing.TB) (dsns []string) {
	t.Helper()
	dsns = s.fresh(t)
	s.drops.RLock()
	defer s.drops.RUnlock()
	if _, err := Migrate(t.Context(), dsns[0]); err != nil {
		t.Fatal(err)
	}
	return dsns
}

// The suite runs on any server, and on any servers that are one database, that the environment
// names.
func TestTheStoreConformsOnOtherServers(t *testing.T) {
	t.Parallel()
	other, ok := newStranger()
	if !ok {
		t.Log(strangers + " names none")
		return
	}
	fresh := func(t testing.TB) storetest.Database {
		t.Helper()
		return spread(t, other.migrated(t))
	}
	probe := other.migrated(t)
	t.Log("the suite runs on", open(t, probe[0], Options{}).Engine())
	t.Run("the suite", func(t *testing.T) {
		storetest.Run(t, fresh)
		storetest.RunRandom(t, 1, fresh)
	})
}
