package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Engine is what a database's server says that it is.
type Engine struct {
	kind kind
	// version is the server's own words.
	version string
}

// kind is a family of servers, as people name it. The zero value means that no server has been
// asked yet.
type kind string

const (
	sqliteKind  kind = "SQLite"
	mariaKind   kind = "MariaDB"
	galeraKind  kind = "Galera"
	mysqlKind   kind = "MySQL"
	tidbKind    kind = "TiDB"
	unknownKind kind = ""
)

// String returns the kind and the version.
func (e Engine) String() string {
	if e.kind == unknownKind {
		return "a server that has not answered yet"
	}
	return strings.TrimSpace(string(e.kind) + " " + e.version)
}

// settings are the statements with which a session begins.
func (e Engine) settings() []string {
	switch e.kind {
	case tidbKind:
		return []string{lockFirst, readCommitted}
	case galeraKind:
		return []string{isolate, catchUp}
	}
	return []string{isolate}
}

const (
	// isolate uses the only syntax that all servers know: the name of the variable differs.
	isolate = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
	// readCommitted is for TiDB, whose transactions would otherwise see the database as it was when
	// they began, before any lock.
	readCommitted = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	// lockFirst makes a statement of TiDB wait for those who write the same, and say what it met. A
	// cluster that began before version 3.0.8 would say so at COMMIT only, whatever the isolation.
	lockFirst = "SET SESSION tidb_txn_mode = 'pessimistic'"
	// catchUp makes a node of Galera read (1), update and delete (2), and insert (4) only
	// after it has applied the earlier commits of other nodes.
	catchUp = "SET SESSION wsrep_sync_wait = 7"
)

// greeting is what a session learns of its server.
type greeting struct {
	Engine
	readOnly bool
}

// ask asks a server what it is and whether it takes writes. Every kind and state of server
// answers this, also a node of Galera that is cut off.
func ask(ctx context.Context, conn driver.Conn) (g greeting, err error) {
	const query = `SHOW GLOBAL VARIABLES WHERE Variable_name IN
	('version', 'wsrep_on', 'read_only', 'super_read_only', 'innodb_read_only', 'tidb_server_memory_limit')`
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, query, nil)
	if err != nil {
		return g, err
	}
	g.kind = mysqlKind
	row := make([]driver.Value, 2)
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return g, rows.Close()
		}
		if err != nil {
			return g, errors.Join(err, rows.Close())
		}
		g.learn(wordOf(row[0]), wordOf(row[1]))
	}
}

// learn takes the value of a variable, in any order.
func (g *greeting) learn(variable, value string) {
	on := value != "" && value != "0" && !strings.EqualFold(value, "OFF") // read_only has more values than ON
	switch variable = strings.ToLower(variable); {
	case variable == "version":
		g.version = value
		switch {
		case g.kind != mysqlKind:
		case strings.Contains(value, "TiDB"):
			g.kind = tidbKind
		case strings.Contains(value, "MariaDB"):
			g.kind = mariaKind
		}
	case variable == "wsrep_on" && on:
		g.kind = galeraKind
	case variable == "tidb_server_memory_limit": // whatever version it pretends to have
		g.kind = tidbKind
	case strings.HasSuffix(variable, "read_only"):
		g.readOnly = g.readOnly || on
	}
}

// wordOf is the text of a value, which drivers and servers give in several types.
func wordOf(v driver.Value) string {
	if text, ok := v.([]byte); ok {
		return string(text)
	}
	return fmt.Sprint(v)
}
