package sqlstore

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/test/mariadb"
)

func TestADSNIsParsedOrRefusedInOneLineWithoutItsPassword(t *testing.T) {
	t.Parallel()
	const secret = "S3cr@t:/?("
	for dsn, want := range map[string]string{
		"mysql://u:" + secret + "@tcp(db.example:3306)/jetmon":                "mysql://u@tcp(db.example:3306)/jetmon",
		"mysql://u:" + secret + "@tcp(db.example)/jetmon?timeout=1s":          "mysql://u@tcp(db.example:3306)/jetmon",
		"mysql://u@unix(/run/mysqld/mysqld.sock)/jetmon":                      "mysql://u@unix(/run/mysqld/mysqld.sock)/jetmon",
		"mysql://tcp([::1]:3306)/jetmon":                                      "mysql://@tcp([::1]:3306)/jetmon",
		"sqlite:/var/lib/jetmon/a b?.db":                                      "sqlite:/var/lib/jetmon/a b?.db",
		"":                                                                    "",
		"jetmon.db":                                                           "",
		"postgres://u:" + secret + "@db/jetmon":                               "",
		"mysql://u:" + secret + "@db.example:3306/jetmon":                     "",
		"mysql://u:" + secret + "@tcp(db.example:3306)":                       "",
		"mysql://u:" + secret + "@tcp(db.example:3306)/":                      "",
		"mysql://u:" + secret + "@tcp()/jetmon":                               "",
		"mysql://u:" + secret + "@udp(db.example:3306)/jetmon":                "",
		"mysql://u:" + secret + "@tcp(db.example:3306/jetmon":                 "",
		"mysql://u:" + secret + "@tcp(db.example:3306)/jetmon?timeout=banana": "",
		"mysql://u:" + secret + "@tcp(db.example:3306)/jetmon?tls=" + "none":  "",
		"mysql://u:" + secret + "@tcp(db.example:3306)/jet%zzmon":             "",
		"mysql://" + secret:                                                   "",
		"mysql://":                                                            "",
		"sqlite:":                                                             "",
		"sqlite::memory:":                                                     "",
		"sqlite://x/y.db":                                                     "",
		"sqlite:x\x00.db":                                                     "",
	} {
		got, err := ParseDSN(dsn)
		if want != "" {
			if err != nil || got.String() != want {
				t.Errorf("%q reads as %q, %v; want %q", dsn, got, err, want)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", dsn, err)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := e.Error(); strings.Contains(text, "S3cr") || strings.Contains(text, "\n") {
				t.Errorf("%q is refused as %q", dsn, text)
			}
		}
	}
}

func FuzzParseDSN(f *testing.F) {
	for _, seed := range []string{"mysql://u:p@tcp(h:1)/d?x=y", "mysql://u:p@unix(/s)/d", "sqlite:a.db", "sqlite:", "mysql://@/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		d, err := ParseDSN(dsn)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := d.dialect.connectors(t.Context(), d, purpose{migrate: true}); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

func TestAnUnusableDatabaseIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	wantError := func(t *testing.T, err error, parts ...string) {
		t.Helper()
		if !fault.Is(err, fault.Unavailable) {
			t.Fatalf("error %v", err)
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	t.Run("a file that is not there is not made", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "none.db")
		_, err := Open(t.Context(), "sqlite:"+path, Options{})
		wantError(t, err, path, "run `jetmon migrate --db sqlite:"+path)
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is there: %v", err)
		}
	})
	t.Run("a directory that is not there", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "none", "jetmon.db")
		_, err := Migrate(t.Context(), "sqlite:"+path)
		wantError(t, err, path)
	})
	t.Run("a file that is no database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "text.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Migrate(t.Context(), "sqlite:"+path)
		wantError(t, err, path)
	})
	t.Run("a server that is not there", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = Migrate(t.Context(), "mysql://u:S3cret@tcp("+address+")/jetmon")
		wantError(t, err, address, "refused")
		if strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q", err)
		}
	})
	t.Run("a server that never answers", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = Migrate(ctx, "mysql://u:S3cret@tcp("+l.Addr().String()+")/jetmon")
		wantError(t, err, l.Addr().String())
	})
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		dsn := strings.Replace(mariadb.Start(t), "://jetmon:", "://jetmon:S3cret", 1)
		_, err := Open(t.Context(), dsn, Options{})
		wantError(t, err, "Access denied")
		if strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q", err)
		}
	})
	for name, fresh := range engines() {
		t.Run("no schema, or an old one, on "+name, func(t *testing.T) {
			t.Parallel()
			dsn := fresh(t)
			d, err := ParseDSN(dsn)
			if err != nil {
				t.Fatal(err)
			}
			if d.mysql == nil { // an empty file is an empty database
				if err := os.WriteFile(d.path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err = Open(t.Context(), dsn, Options{})
			wantError(t, err, d.String(), "run `jetmon migrate --db")
			s := open(t, dsn, Options{Migrate: true})
			if _, err := s.writer.ExecContext(t.Context(), "DELETE FROM jetmon_schema WHERE version_id > 5"); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), dsn, Options{})
			wantError(t, err, d.String(), "schema version 5", "run `jetmon migrate --db")
			// A newer program may have been here: migrations only add.
			if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO jetmon_schema (version_id, is_applied) VALUES (99999, 1)"); err != nil {
				t.Fatal(err)
			}
			open(t, dsn, Options{})
		})
	}
}

func TestMigratingIsIdempotentEvenConcurrently(t *testing.T) {
	t.Parallel()
	for name, fresh := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := fresh(t)
			errs := make([]error, 4)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() { _, errs[i] = Migrate(t.Context(), dsn) })
			}
			all.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if n, err := Migrate(t.Context(), dsn); n != 0 || err != nil {
				t.Errorf("the fifth applied %d: %v", n, err)
			}
			open(t, dsn, Options{})
		})
	}
}

func TestAnInterruptedMigrationIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		steps, err := s.dsn.dialect.migrations()
		if err != nil {
			t.Fatal(err)
		}
		// MySQL commits DDL by itself, so versions can be missing although their tables exist.
		for n := range len(steps) + 1 {
			if _, err := s.writer.ExecContext(t.Context(), "DELETE FROM jetmon_schema WHERE version_id > ?", steps[len(steps)-1].Version-int64(n)); err != nil {
				t.Fatal(err)
			}
			if n == len(steps) { // not even version 0
				if _, err := s.writer.ExecContext(t.Context(), "DELETE FROM jetmon_schema"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Migrate(t.Context(), dsn); err != nil {
				t.Fatalf("with the last %d missing: %v", n, err)
			}
		}
		open(t, dsn, Options{})
	})
}

func TestMigratingTheFirstReleaseKeepsItsData(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{LegacyWrites: true})
		site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range steps(site)[:2] {
			if _, err := storetest.Commit(t.Context(), s, lease.Fence(), c); err != nil {
				t.Fatal(err)
			}
		}
		before := traces(t, database(t, dsn))
		for _, statement := range []string{ // back to version 11
			`INSERT INTO jetmon_outbox (id, change_key, site_id, bucket, attempts, next_ms, created_ms, last_error)
	SELECT transition_id, event_key, lane, 0, 0, created_ms, created_ms, '' FROM jetmon_deliveries`,
			"DROP TABLE jetmon_events", "DROP TABLE jetmon_deliveries", "DROP TABLE jetmon_delivery_counts", "DROP TABLE jetmon_attempts",
			"DROP TABLE jetmon_members", "DROP TABLE jetmon_suspects", "DROP TABLE jetmon_site_order",
			"ALTER TABLE jetmon_transitions DROP COLUMN site_seq", "ALTER TABLE jetmon_outbox DROP COLUMN site_seq",
			"ALTER TABLE jetmon_shards DROP COLUMN writes", "ALTER TABLE jetmon_outages DROP COLUMN end_reason",
			"ALTER TABLE jetmon_outages DROP COLUMN suspended_ms", "ALTER TABLE jetmon_outages DROP COLUMN paused_ms",
			"DELETE FROM jetmon_schema WHERE version_id > 11",
		} {
			if _, err := s.writer.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(t.Context(), dsn, Options{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("opened as it was: %v", err)
		}
		if n, err := Migrate(t.Context(), dsn); n < 2 || err != nil {
			t.Fatalf("applied %d: %v", n, err)
		}
		if after := traces(t, database(t, dsn)); !slices.Equal(after, before) {
			t.Errorf("there was %v and is %v", before, after)
		}
		snapshot := record.Snapshot{SiteID: site.ID, URL: site.URL, At: time.Unix(1e9, 0)}
		if err := s.KeepSnapshots(t.Context(), lease.Fence(), []record.Snapshot{snapshot}, nil); err != nil {
			t.Error(err)
		}
		// Its notifications come first, in their order, and then those of today.
		if _, err := storetest.Commit(t.Context(), s, lease.Fence(), steps(site)[2]); err != nil {
			t.Fatal(err)
		}
		for _, want := range steps(site) {
			notifications, err := storetest.Due(t.Context(), s, []shard.ID{0}, time.Now(), 10)
			if err != nil || len(notifications) != 1 || notifications[0].Key != want.Key {
				t.Fatalf("due %+v, %v; want %s", notifications, err, want.Key)
			}
			if err := storetest.Accept(t.Context(), s, notifications[0], time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestALockedDatabaseIsAnErrorBeforeTheCallersDeadline(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{LegacyWrites: true})
		holder := open(t, dsn, Options{})
		conn, err := holder.writer.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lock, unlock := "FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"
		if s.dsn.mysql == nil {
			lock, unlock = "BEGIN IMMEDIATE", "ROLLBACK"
		}
		if _, err := conn.ExecContext(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err = s.CreateSite(ctx, record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("CreateSite: %v", err)
		}
		if _, err := s.ListSites(t.Context(), store.SiteQuery{Limit: 1}); err != nil {
			t.Errorf("reading waits for a writer: %v", err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("gave up after %v", took)
		}
		if _, err := conn.ExecContext(t.Context(), unlock); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute}); err != nil {
			t.Errorf("after the lock: %v", err)
		}
	})
}

func TestMigratingALockedDatabaseGivesUpInTime(t *testing.T) {
	t.Parallel()
	for name, fresh := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := fresh(t)
			holder := open(t, dsn, Options{Migrate: true})
			for _, table := range []string{"jetmon_shards", "jetmon_outbox"} {
				if _, err := holder.writer.ExecContext(t.Context(), "DROP TABLE "+table); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := holder.writer.ExecContext(t.Context(), "DELETE FROM jetmon_schema WHERE version_id >= 10"); err != nil {
				t.Fatal(err)
			}
			conn, err := holder.writer.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			lock, unlock := "FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"
			if holder.dsn.mysql == nil {
				lock, unlock = "BEGIN IMMEDIATE", "ROLLBACK"
			}
			if _, err := conn.ExecContext(t.Context(), lock); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if _, err := Migrate(ctx, dsn); !fault.Is(err, fault.Unavailable) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("gave up after %v", took)
			}
			if _, err := conn.ExecContext(t.Context(), unlock); err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			steps, err := holder.dsn.dialect.migrations()
			if err != nil {
				t.Fatal(err)
			}
			missing := slices.IndexFunc(steps, func(m *goose.Migration) bool { return m.Version >= 10 })
			if n, err := Migrate(t.Context(), dsn); n != len(steps)-missing || err != nil {
				t.Errorf("applied %d: %v", n, err)
			}
		})
	}
}

func TestAnExistingLegacyTableIsLeftAlone(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	d, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := connect(t.Context(), d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, statement := range []string{
		`CREATE TABLE jetpack_monitor_sites (
	jetpack_monitor_site_id bigint(20) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	blog_id bigint(20) unsigned NOT NULL, bucket_no smallint(2) unsigned NOT NULL, monitor_url varchar(300) NOT NULL,
	monitor_active tinyint(1) unsigned NOT NULL DEFAULT 1, site_status tinyint(1) unsigned NOT NULL DEFAULT 1,
	last_status_change timestamp NULL DEFAULT current_timestamp(), check_interval tinyint(1) unsigned NOT NULL DEFAULT 5,
	added_by_others varchar(9) NOT NULL DEFAULT 'x'
) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
		`INSERT INTO jetpack_monitor_sites VALUES (18446744073709551615, 1, 1, 'http://beyond.example/', 1, 1, NULL, 5, 'y'),
	(7, 18446744073709551615, 1, 'http://caf\xc3\xa9.example/', 1, 1, '2026-05-13 12:00:00', 5, 'y')`,
	} {
		if _, err := raw.writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	show := func() string {
		var name, ddl, rows string
		if err := raw.reader.QueryRowContext(t.Context(), "SHOW CREATE TABLE jetpack_monitor_sites").Scan(&name, &ddl); err != nil {
			t.Fatal(err)
		}
		if err := raw.reader.QueryRowContext(t.Context(),
			`SELECT GROUP_CONCAT(CONCAT_WS('|', jetpack_monitor_site_id, blog_id, monitor_url, last_status_change, added_by_others)
	ORDER BY jetpack_monitor_site_id) FROM jetpack_monitor_sites`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return ddl + rows
	}
	before := show()
	s := open(t, dsn, Options{LegacyWrites: true, Migrate: true})
	if after := show(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
	// A row id that is no int64 is out of reach, but in nobody's way.
	sites, err := s.ListSites(t.Context(), store.SiteQuery{Limit: 10})
	if err != nil || len(sites) != 1 || sites[0].ID != 7 || sites[0].BlogID != 0 {
		t.Errorf("sites %+v, %v", sites, err)
	}
	// A text outside the table's character set is the request's fault, not the database's.
	for _, url := range []string{"https://例え.example/", "https://🙂.example/"} {
		_, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: url, Interval: time.Minute})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", url, err)
		}
	}
	// In an import it is the fault of its row.
	for _, statement := range []string{"DELETE FROM jetpack_monitor_sites WHERE blog_id = 1", "ALTER TABLE jetpack_monitor_sites AUTO_INCREMENT = 8"} {
		if _, err := raw.writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	rows := []record.Site{{URL: "http://a.example/"}, {URL: "https://🙂.example/"}, {URL: "http://b.example/"}, {URL: "http://a.example/"}, {URL: "http://é.example/"}}
	for i := range rows {
		rows[i].BlogID, rows[i].Interval = 1, time.Minute
	}
	added, err := s.AddSites(t.Context(), rows)
	if err != nil || len(added) != len(rows) {
		t.Fatalf("%d sites: %v", len(added), err)
	}
	for i, a := range added {
		if fault.Is(a.Err, fault.Invalid) != (i == 1) || (a.Err == nil) != (a.Site.ID != 0) || a.Existed != (i == 3) {
			t.Errorf("site %d: %+v, %v", i, a, a.Err)
		}
	}
}

func TestTheLegacyTableThatWeMakeEqualsWordPressComs(t *testing.T) {
	t.Parallel()
	s := open(t, mariadb.Start(t), Options{Migrate: true})
	var name, ddl string
	if err := s.reader.QueryRowContext(t.Context(), "SHOW CREATE TABLE jetpack_monitor_sites").Scan(&name, &ddl); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"`jetpack_monitor_site_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,",
		"`blog_id` bigint(20) unsigned NOT NULL,", "`bucket_no` smallint(2) unsigned NOT NULL,",
		"`monitor_url` varchar(300) NOT NULL,", "`monitor_active` tinyint(1) unsigned NOT NULL DEFAULT 1,",
		"`site_status` tinyint(1) unsigned NOT NULL DEFAULT 1,",
		"`last_status_change` timestamp NULL DEFAULT current_timestamp(),",
		"`check_interval` tinyint(1) unsigned NOT NULL DEFAULT 5,", "PRIMARY KEY (`jetpack_monitor_site_id`),",
		"KEY `blog_id_monitor_url` (`blog_id`,`monitor_url`),",
		"KEY `bucket_no_monitor_active_check_interval` (`bucket_no`,`monitor_active`,`check_interval`)",
	} {
		if !strings.Contains(ddl, line) {
			t.Errorf("%s is missing in\n%s", line, ddl)
		}
	}
}

func TestTheStoreSurvivesAKilledDatabase(t *testing.T) {
	t.Parallel()
	server := mariadb.NewServer(t)
	s := open(t, server.DSN(), Options{LegacyWrites: true, Migrate: true})
	site, err := s.CreateSite(t.Context(), record.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := s.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range steps(site) {
		done, err := storetest.Commit(t.Context(), s, lease.Fence(), c)
		if err != nil {
			t.Fatal(err)
		}
		server.Kill(t)
		if err := s.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("ping: %v", err)
		}
		if _, err := storetest.Commit(t.Context(), s, lease.Fence(), c); !fault.Is(err, fault.Unavailable) {
			t.Errorf("commit: %v", err)
		}
		server.Restart(t)
		again, err := storetest.Commit(t.Context(), s, lease.Fence(), c)
		if err != nil || again != done {
			t.Errorf("%d: committed %+v, after the restart %+v, %v", i, done, again, err)
		}
	}
	if n, err := storetest.CountNotifications(t.Context(), s, []shard.ID{0}); n != 3 || err != nil {
		t.Errorf("%d notifications, %v", n, err)
	}
}

func TestStatementsKeepToTheCommonSubset(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(line, "//")
			for _, word := range []string{
				"ON DUPLICATE", "ON CONFLICT", "REPLACE INTO", "INSERT IGNORE", "RETURNING", "SKIP LOCKED", "FOR UPDATE",
				"GET_LOCK", "FOREIGN KEY", "JSON_", "NOW()", "SELECT *", "FROM_UNIXTIME", "sqlite_master", "information_schema",
			} {
				if strings.Contains(code, word) {
					t.Errorf("%s:%d uses %s", file, n+1, word)
				}
			}
		}
	}
}

// A server that has reset an idle session does not hear the driver's farewell.
func TestAStoreWhoseServerHasHungUpIsClosed(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	_, rest, _ := strings.Cut(dsn, "@tcp(")
	server, _, _ := strings.Cut(rest, ")")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var sides sync.WaitGroup
	clients := make(chan *net.TCPConn, 100)
	sides.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				return
			}
			clients <- client.(*net.TCPConn)
			sides.Go(func() { _, _ = io.Copy(to, client); to.Close() })
			sides.Go(func() { _, _ = io.Copy(client, to) })
		}
	})
	s, err := Open(t.Context(), strings.Replace(dsn, server, l.Addr().String(), 1), Options{Migrate: true, LegacyWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for len(clients) > 0 {
		c := <-clients
		if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
			t.Error(err)
		}
	}
	sides.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
