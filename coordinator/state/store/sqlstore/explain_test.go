package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// protocol notes each different statement that a store says to its database, with the arguments of
// one time.
type protocol struct {
	mu   sync.Mutex
	said map[string]statement
}

type statement struct {
	text string
	args []any
}

func newProtocol() *protocol { return &protocol{said: map[string]statement{}} }

// lists are what differs between two times of a statement: how many values it has, and shards.
var lists = regexp.MustCompile(`\(\?(, \?)*\)(, \(\?(, \?)*\))*|\b\d+(, \d+)+`)

func (m *protocol) note(text string, named []driver.NamedValue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := lists.ReplaceAllString(text, "(...)")
	if have, ok := m.said[key]; ok && len(have.args) >= len(named) {
		return
	}
	s := statement{text: text}
	for _, v := range named {
		s.args = append(s.args, narrow(text, v.Value))
	}
	m.said[key] = s
}

// narrow has a statement read few of the ids of a table: it would read all of them whole, and
// rightly.
func narrow(text string, arg driver.Value) any {
	const few, times = 1000, 1e12
	if id, ok := arg.(int64); ok && id > few && (id < times || id == math.MaxInt64) && strings.Contains(text, "site_id BETWEEN") {
		return int64(few)
	}
	return arg
}

func (m *protocol) wrap(c driver.Connector) driver.Connector { return notedConnector{c, m} }

type notedConnector struct {
	driver.Connector
	m *protocol
}

func (c notedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &notedConn{brittleConn{Conn: conn, b: &breaker{}}, c.m}, nil
}

type notedConn struct {
	brittleConn
	m *protocol
}

func (c *notedConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.m.note(q, args)
	return c.brittleConn.ExecContext(ctx, q, args)
}

func (c *notedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.m.note(q, args)
	return c.brittleConn.QueryContext(ctx, q, args)
}

// ResetSession finds connections that the server has closed.
func (c *notedConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// IsValid reports whether the connection can be used again.
func (c *notedConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// tiny are the tables that stay small whatever is monitored: they may be read whole.
var tiny = []string{"jetmon_shards", "jetmon_members", "jetmon_site_locks", "jetmon_schema", "jetmon_subscriptions"}

// mayBeRead are the tables that some statements read whole for a reason.
var mayBeRead = map[string]string{
	"jetmon_maintenances": "it has at most 10,000 rows, which are read after an edit of one of them, and kept in memory",
	"jetmon_outbox":       "it has what WordPress.com has not accepted yet, in small rows, all of which are looked at to find the oldest of each site",
}

// mayScan are the statements that read a whole table for a reason, by what they contain.
var mayScan = map[string]string{
	"LOWER(l.monitor_url) LIKE": "the search of a table whose hosts are not indexed yet, in the first minute",
}

// crowded is how many rows of a growing table a statement may look at although its limit is
// smaller.
const crowded = 2000

// wantIndexes wants no statement to read more of a table that grows than it has to, in a database
// with many rows in each.
func (m *protocol) wantIndexes(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Migrate: true})
	tables := fillAll(t, s)
	if len(m.said) < 100 {
		t.Fatalf("only %d statements were noted", len(m.said))
	}
	for _, key := range slices.Sorted(maps.Keys(m.said)) {
		said := m.said[key]
		verb, _, _ := strings.Cut(strings.TrimSpace(said.text), " ")
		if !slices.Contains([]string{"SELECT", "UPDATE", "DELETE"}, verb) && !(verb == "INSERT" && strings.Contains(said.text, "SELECT")) {
			continue
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(mayScan)), func(part string) bool { return strings.Contains(said.text, part) }) {
			continue
		}
		explain := s.explainMySQL
		if s.dsn.dialect.name == "sqlite" {
			explain = s.explainSQLite
		}
		faults, err := explain(t.Context(), said, tables)
		if err != nil {
			t.Errorf("%s\n%v", key, err)
		}
		for _, fault := range faults {
			t.Errorf("%s\n%v\n%s", key, said.args, fault)
		}
	}
}

// fillAll puts many rows into each table that grows, whatever its columns mean, and returns the
// names of these tables.
func fillAll(t *testing.T, s *Store) (tables []string) {
	t.Helper()
	const rows = 20_000
	list := "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	series := fmt.Sprintf("SELECT seq FROM seq_1_to_%d", rows)
	if s.dsn.dialect.name == "sqlite" {
		list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'jet%'"
		series = fmt.Sprintf("WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < %d) SELECT seq FROM n", rows)
	}
	all, err := listTexts(t.Context(), s, list)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range all {
		if slices.Contains(tiny, table) || mayBeRead[table] != "" {
			continue
		}
		tables = append(tables, table)
		columns, err := columnsOf(t.Context(), s, table)
		if err != nil {
			t.Fatal(err)
		}
		var names, values []string
		for _, c := range columns {
			names, values = append(names, c.name), append(values, c.sample())
		}
		for _, q := range []string{
			fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (%s) n", table, strings.Join(names, ", "), strings.Join(values, ", "), series),
			strings.Replace("ANALYZE TABLE "+table, "TABLE ", map[bool]string{true: "", false: "TABLE "}[s.dsn.dialect.name == "sqlite"], 1),
		} {
			if _, err := s.writer.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	return tables
}

func listTexts(ctx context.Context, s *Store, query string) ([]string, error) {
	return list(ctx, s.reader, func(rows *sql.Rows) (one string, err error) { return one, rows.Scan(&one) }, query)
}

// column is a column of a table to fill.
type column struct{ table, name, kind string }

func columnsOf(ctx context.Context, s *Store, table string) (all []column, err error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT t.* FROM "+table+" t WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	for _, c := range types {
		all = append(all, column{table, c.Name(), strings.ToUpper(c.DatabaseTypeName())})
	}
	return all, errors.Join(err, rows.Err())
}

// sample is the value of a column in row seq. Most sites run, few are down.
func (c column) sample() string {
	switch c.name {
	case "bucket", "bucket_no":
		return "seq % 512"
	case "shard":
		return "seq % 32"
	case "blog_id":
		if c.table == "jetmon_blog_settings" {
			return "seq"
		}
		return "1 + seq % 9000"
	case "monitor_active", "site_status", "row_status", "told":
		return "CASE WHEN seq % 50 = 0 THEN 0 ELSE 1 END"
	case "status":
		return "CASE WHEN seq % 50 = 0 THEN 0 ELSE 1 END"
	case "untold", "outage_id":
		return "CASE WHEN seq % 100 = 0 THEN 1 ELSE 0 END"
	case "check_interval":
		return "5"
	case "open_site":
		return "CASE WHEN seq % 20 = 0 THEN seq ELSE NULL END"
	case "end_ms":
		return "CASE WHEN seq % 20 = 0 THEN 0 ELSE seq END"
	case "revoked_ms":
		return "CASE WHEN seq % 10 = 0 THEN 0 ELSE seq END"
	case "last_status_change":
		return "NULL"
	case "monitor_url", "url":
		return "CONCAT('https://x', seq)"
	case "settings", "body", "evidence", "before_json", "after_json":
		return "'{}'"
	}
	if strings.Contains(c.kind, "CHAR") || strings.Contains(c.kind, "TEXT") || strings.Contains(c.kind, "BLOB") {
		return "CONCAT('', seq)"
	}
	return "seq"
}

// explainMySQL returns what a plan reads without need.
func (s *Store) explainMySQL(ctx context.Context, said statement, tables []string) (faults []string, err error) {
	rows, err := s.reader.QueryContext(ctx, "EXPLAIN "+said.text, said.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, selectType, table, how, possible, key, keyLength, ref, read, extra sql.NullString
		if err := rows.Scan(&id, &selectType, &table, &how, &possible, &key, &keyLength, &ref, &read, &extra); err != nil {
			return nil, err
		}
		n, _ := strconv.Atoi(strings.Split(read.String, " ")[0]) // also "3 (0%)"
		// The first rows in the order of an index, and nothing but that index, are no scan.
		first := how.String == "index" && extra.String == "Using index" && strings.Contains(said.text, "LIMIT ?")
		if whole := how.String == "ALL" || how.String == "index"; whole && !first && n > crowded && grows(said.text, table.String, tables) {
			faults = append(faults, fmt.Sprintf("reads %d rows of %s by %s, key %q, %s", n, table.String, how.String, key.String, extra.String))
		}
	}
	return faults, rows.Err()
}

// scannedWhole are the steps of SQLite that read a whole table.
var scannedWhole = regexp.MustCompile(`^SCAN (\w+)`)

// explainSQLite does so for SQLite, which does not say how many rows it will read.
func (s *Store) explainSQLite(ctx context.Context, said statement, tables []string) (faults []string, err error) {
	rows, err := s.reader.QueryContext(ctx, "EXPLAIN QUERY PLAN "+said.text, said.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		// The first rows in the order of an index are no scan.
		first := strings.Contains(detail, " INDEX ") && strings.Contains(said.text, "ORDER BY") && strings.Contains(said.text, "LIMIT ?")
		if m := scannedWhole.FindStringSubmatch(detail); m != nil && !first && grows(said.text, m[1], tables) {
			faults = append(faults, detail)
		}
	}
	return faults, rows.Err()
}

// grows reports whether a name in a plan is that of a table that grows, or its alias in a
// statement.
func grows(text, name string, tables []string) bool {
	for _, table := range tables {
		if name == table || regexp.MustCompile(`\b`+table+`\s+(AS\s+)?`+name+`\b`).MatchString(text) {
			return true
		}
	}
	return false
}
