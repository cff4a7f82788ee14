package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/test/mariadb"
)

// Servers differ in which concurrent commits a transaction sees. The store depends on none
// of them.
func TestTheStoreConformsUnderAnyIsolation(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]string{
		// A server may be configured this way.
		"all that is committed": {
			"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ": "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
		},
		// As TiDB does; MariaDB's begins with the first read, as the suite sees it elsewhere.
		"the database as it was when it began": {"START TRANSACTION": "START TRANSACTION WITH CONSISTENT SNAPSHOT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changed atomic.Int64
			treat := func(query string) treatment {
				if change[query] != "" {
					changed.Add(1)
				}
				return treatment{send: change[query]}
			}
			t.Cleanup(func() { // after all of the suite
				if changed.Load() == 0 {
					t.Error("the server was asked nothing of the kind: this tests nothing")
				}
			})
			storetest.Run(t, func(t testing.TB) storetest.Database {
				dsn := mariadb.Start(t)
				if _, err := Migrate(t.Context(), dsn); err != nil {
					t.Fatal(err)
				}
				return database(t, through(t, dsn, treat))
			}, "races", "groups")
		})
	}
}

// TiDB has no read-only transactions: it answers error 1235.
func TestPollsSeeEditsWithoutReadOnlyTransactions(t *testing.T) {
	t.Parallel()
	plain := mariadb.Start(t)
	var refused, begun atomic.Int64
	dsn := through(t, plain, func(query string) treatment {
		switch {
		case strings.HasPrefix(query, "START TRANSACTION READ ONLY"):
			refused.Add(1)
			return treatment{errno: 1235, unheard: true}
		case strings.HasPrefix(query, "START TRANSACTION"):
			begun.Add(1)
		}
		return treatment{}
	})
	s := open(t, dsn, Options{Migrate: true})
	site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	look := func(known store.Digest) store.SpanRead {
		read, err := s.ReadSpan(t.Context(), record.Span{First: 1, Last: 1000}, map[shard.ID]store.Digest{0: known})
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	var all sync.WaitGroup // several find it out at once, as spans are read
	for range 8 {
		all.Go(func() {
			if _, err := s.ReadSpan(context.WithoutCancel(t.Context()), record.Span{First: 1, Last: 1000},
				map[shard.ID]store.Digest{0: 0}); err != nil {
				t.Errorf("while it is found out: %v", err)
			}
		})
	}
	all.Wait()
	if refused.Load() == 0 {
		t.Fatal("no transaction was to be read-only: the test shows nothing")
	}
	learned := refused.Load()
	read := look(0)
	if len(read.Sites) != 1 {
		t.Fatalf("read %+v", read)
	}
	if again := look(read.Digests[0]); len(again.Changed) != 0 {
		t.Errorf("nothing was edited, and it is read again: %+v", again)
	}
	database(t, plain).Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = 'https://edited.example/'")
	if edited := look(read.Digests[0]); len(edited.Sites) != 1 || edited.Sites[0].ID != site.ID || edited.Sites[0].URL != "https://edited.example/" {
		t.Errorf("after an edit it reads %+v", edited)
	}
	if n := refused.Load(); n != learned {
		t.Errorf("it asked for read-only transactions %d times more after it was refused", n-learned)
	}
	if begun.Load() == 0 {
		t.Error("no transaction was begun: what is read is of no single moment")
	}
}

// What TiDB answers to a COMMIT that met another transaction, and MySQL's group
// replication to one that another server's has overtaken, undoes the transaction.
func TestACommitThatAnotherServerOvertookIsRetried(t *testing.T) {
	t.Parallel()
	for _, errno := range []uint16{9007, 8002, 8022, 8028, 3101} {
		plain := mariadb.Start(t)
		var left atomic.Int64
		dsn := through(t, plain, func(query string) treatment {
			if query == "COMMIT" && left.Add(-1) >= 0 {
				return treatment{send: "ROLLBACK", errno: errno}
			}
			return treatment{}
		})
		s, db := open(t, dsn, Options{Migrate: true, LegacyWrites: true}), database(t, plain)
		left.Store(2)
		site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
		if err != nil {
			t.Fatalf("%d: creating a site: %v", errno, err)
		}
		left.Store(2)
		lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
		if err != nil {
			t.Fatalf("%d: claiming: %v", errno, err)
		}
		for _, c := range steps(site) {
			left.Store(2)
			if _, err := storetest.Commit(t.Context(), s, lease.Fence(), c); err != nil {
				t.Errorf("%d: commit of %s: %v", errno, c.Key, err)
			}
			if n := left.Load(); n >= 0 {
				t.Errorf("%d: the commit of %s met only %d refusals", errno, c.Key, 2-n)
			}
		}
		left.Store(0)
		if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries"); n != 3 {
			t.Errorf("%d: %d notifications, want 3", errno, n)
		}
		if n := db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites"); n != 1 {
			t.Errorf("%d: %d sites, want 1", errno, n)
		}
	}
}

func TestErrorsOfMySQLAndItsKinAreClassified(t *testing.T) {
	t.Parallel()
	for want, numbers := range map[class][]uint16{
		duplicate: {1022, 1062, 1586},
		present:   {1060, 1061},
		transient: {1205, 1213, 1020, 1180, 3101, 9007, 8002, 8022, 8028},
		unfit:     {1264, 1265, 1267, 1292, 1366, 1406, 3988},
		foreign:   {1193, 1235},
		other:     {1, 1047, 1064, 1105, 1146, 1290, 2013, 8001, 8027, 9001, 9006, 9008},
	} {
		for _, number := range numbers {
			if got := classifyMySQL(&mysql.MySQLError{Number: number, Message: "x"}); got != want {
				t.Errorf("error %d is of class %d, want %d", number, got, want)
			}
		}
	}
	if got := classifyMySQL(&mysql.MySQLError{Number: 1105, Message: "pessimistic lock retry limit reached"}); got != transient {
		t.Errorf("a statement of TiDB that met others too often is of class %d", got)
	}
	lost := (&session{}).judge(&mysql.MySQLError{Number: 1047, Message: "WSREP has not yet prepared node for application use"})
	if got := classifyMySQL(lost); got != transient || !errors.Is(lost, driver.ErrBadConn) || !IsAway(lost) {
		t.Errorf("a node that cannot serve is of class %d: %v", got, lost)
	}
	if got := classifyMySQL(context.Canceled); got != other {
		t.Errorf("no error of the server is of class %d", got)
	}
}

func TestASessionOverridesTheServersIsolationAndTimeouts(t *testing.T) {
	t.Parallel()
	server := mariadb.NewServer(t)
	for _, level := range []string{"READ-UNCOMMITTED", "SERIALIZABLE", "READ-COMMITTED"} {
		server.Query(t, "SET GLOBAL tx_isolation = '"+level+"'")
		s := open(t, server.DSN(), Options{Migrate: true})
		for name, pool := range map[string]*sql.DB{"leases": s.leases, "writer": s.writer, "reader": s.reader, "editor": s.editor} {
			var got string
			if err := pool.QueryRowContext(t.Context(), "SELECT @@session.tx_isolation").Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != "REPEATABLE-READ" {
				t.Errorf("on a server whose sessions are %s those of %s are %s", level, name, got)
			}
		}
	}
}
