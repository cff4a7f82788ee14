package sqlstore

import (
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/test/mariadb"
)

func TestAServerIsKnownByItsVariables(t *testing.T) {
	t.Parallel()
	for want, variables := range map[string][]string{
		"MariaDB 10.11.19-MariaDB-0+deb12u1":    {"version", "10.11.19-MariaDB-0+deb12u1", "wsrep_on", "OFF", "read_only", "OFF", "innodb_read_only", "OFF"},
		"Galera 10.11.19-MariaDB-0+deb12u1-log": {"wsrep_on", "ON", "version", "10.11.19-MariaDB-0+deb12u1-log"},
		"Galera 8.0.36":                         {"version", "8.0.36", "wsrep_on", "1"}, // that of MySQL
		"MySQL 8.4.3":                           {"read_only", "0", "super_read_only", "OFF", "version", "8.4.3"},
		"TiDB 8.0.11-TiDB-v8.4.0":               {"version", "8.0.11-TiDB-v8.4.0", "tidb_server_memory_limit", "80%"},
		"TiDB 5.7.25":                           {"version", "5.7.25", "tidb_server_memory_limit", "0"},
		"MariaDB 12.1.2-MariaDB, read-only":     {"version", "12.1.2-MariaDB", "read_only", "NO_LOCK"},
		"MySQL 8.0.39, read-only":               {"version", "8.0.39", "innodb_read_only", "ON"},
	} {
		g := greeting{Engine: Engine{kind: mysqlKind}}
		for i := 0; i < len(variables); i += 2 {
			g.learn(variables[i], variables[i+1])
		}
		got := g.Engine.String()
		if g.readOnly {
			got += ", read-only"
		}
		if got != want {
			t.Errorf("%v is %q, want %q", variables, got, want)
		}
	}
}

func TestAStoreSaysWhatItIsOn(t *testing.T) {
	t.Parallel()
	if got := open(t, mariadb.Start(t), Options{Migrate: true}).Engine().String(); !strings.HasPrefix(got, "MariaDB 1") {
		t.Errorf("MariaDB is %q", got)
	}
	if got := open(t, "sqlite:"+filepath.Join(t.TempDir(), "db"), Options{Migrate: true}).Engine().String(); got != "SQLite" {
		t.Errorf("SQLite is %q", got)
	}
	if got := (Engine{}).String(); got != "a server that has not answered yet" {
		t.Errorf("none is %q", got)
	}
}

// What the database is goes to the log when the database will do, once, and not before: one that
// was not migrated is one error, and nothing else.
func TestADatabaseThatWillDoIsLoggedOnce(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, nil))
	if _, err := Open(t.Context(), dsn, Options{Log: log}); err == nil || text.Len() != 0 {
		t.Errorf("not migrated: the error is %v, the log is %q", err, &text)
	}
	open(t, dsn, Options{Migrate: true, Log: log})
	if got := text.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg="the database is" engine="MariaDB `) {
		t.Errorf("the log is %q, want one line with the engine", got)
	}
}

// The sessions of a server that says it is TiDB are READ COMMITTED, and it is asked for neither
// of what it does not know: Galera's waits, and read-only transactions.
func TestATiDBIsAskedForNothingThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	dsn := asTiDB(t, mariadb.Start(t), func(query string) {
		mu.Lock()
		defer mu.Unlock()
		asked[query]++
	})
	s := open(t, dsn, Options{Migrate: true})
	if got := s.Engine().String(); got != "TiDB 8.0.11-TiDB-v8.4.0" {
		t.Fatalf("it is taken for %q", got)
	}
	if _, err := s.ReadSpan(t.Context(), record.Span{First: 1, Last: 10}, map[shard.ID]store.Digest{0: 0}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked[lockFirst] == 0 || asked[readCommitted] == 0 || asked[isolate] != 0 {
		t.Error("its sessions are not pessimistic and READ COMMITTED")
	}
	if asked["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"] == 0 {
		t.Error("what is to be of one moment is not read in a snapshot")
	}
	for query := range asked {
		if strings.Contains(query, "SET SESSION wsrep") || strings.Contains(query, "READ ONLY") {
			t.Errorf("it is asked for %q", query)
		}
	}
}

// asTiDB is a way to a MariaDB that says it is TiDB, so that sessions are as they would be there.
// Each statement is heard.
func asTiDB(t testing.TB, dsn string, heard func(query string)) string {
	t.Helper()
	return through(t, dsn, func(query string) treatment {
		heard(query)
		switch {
		case strings.HasPrefix(query, "SHOW GLOBAL VARIABLES"):
			return treatment{send: "SELECT 'version', '8.0.11-TiDB-v8.4.0'"}
		case query == lockFirst:
			return treatment{send: "DO 0"}
		}
		return treatment{}
	})
}
