package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
)

// hostOf is a server of a test: it fails with err, or hangs for as long as it may.
type hostOf struct {
	driver.Connector
	err   error
	tried int
}

func (h *hostOf) Connect(ctx context.Context) (driver.Conn, error) {
	h.tried++
	if h.err == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, h.err
}

// A caller has less time than all servers may take. What it learns of the first ones is of use
// to the next caller, who begins with the others.
func TestServersThatHangDoNotHideTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		hosts := []*hostOf{{}, {}, {}, {err: refused}}
		s := &servers{log: slog.New(slog.DiscardHandler)}
		for i, h := range hosts {
			s.all = append(s.all, &server{Connector: h, address: string(rune('a' + i))})
		}
		call := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // as who renews a lease
			defer cancel()
			_, err := s.Connect(ctx)
			return err
		}
		if err := call(); errors.Is(err, refused) {
			t.Error("three servers that hang took no time")
		}
		if err := call(); !errors.Is(err, refused) {
			t.Errorf("the second caller did not come to the last server: %v", err)
		}
		if hosts[3].tried != 1 {
			t.Errorf("it was tried %d times", hosts[3].tried)
		}
		s.last.Store(1)
		time.Sleep(time.Minute)
		if got := s.order(time.Now()); !slices.Equal(got, []int{1, 2, 3, 0}) {
			t.Errorf("when all have rested the order is %v", got)
		}
	})
}

// Whoever may call the API could otherwise drive a coordinator from server to server.
func TestCallersWhoLeaveAtOnceSayNothingAboutAServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &servers{log: slog.New(slog.DiscardHandler)}
		for _, name := range []string{"a", "b"} {
			s.all = append(s.all, &server{Connector: &hostOf{}, address: name})
		}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			if _, err := s.Connect(ctx); err == nil {
				t.Error("a server that hangs is connected")
			}
			cancel()
		}
		if now := time.Now(); s.all[0].isResting(now) || s.all[1].isResting(now) {
			t.Error("servers rest after callers who left")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // and who was patient does
		defer cancel()
		if _, err := s.Connect(ctx); err == nil {
			t.Error("a server that hangs is connected")
		}
		if got := s.order(time.Now()); !slices.Equal(got, []int{1, 0}) {
			t.Errorf("after a server has hung for a second the order is %v", got)
		}
	})
}

// A server with an older schema, a replica that missed a migration or a backup that was played back,
// takes writes and fails at them.
func TestAServerWithAnOlderSchemaIsPassedOver(t *testing.T) {
	t.Parallel()
	old, whole, empty := mariadb.NewServer(t), mariadb.NewServer(t), mariadb.NewServer(t)
	for _, s := range []*mariadb.Server{old, whole} {
		if _, err := Migrate(t.Context(), s.DSN()); err != nil {
			t.Fatal(err)
		}
	}
	old.Query(t, "DELETE FROM jetmon_schema ORDER BY version_id DESC LIMIT 1")
	s := open(t, whole.PlainDSN(old.Address()+","+empty.Address()+","+whole.Address()), Options{})
	if port := strings.TrimSpace(one(t, s, "SELECT @@port")); !strings.HasSuffix(whole.Address(), ":"+port) {
		t.Errorf("the server at port %s is used, want %s", port, whole.Address())
	}
	_, err := Open(t.Context(), whole.PlainDSN(old.Address()+","+empty.Address()), Options{})
	if err == nil || !strings.Contains(err.Error(), "jetmon migrate") || IsAway(err) {
		t.Errorf("with servers of older schemas only: %v", err)
	}
}

// one is the text that a query finds.
func one(t *testing.T, s *Store, query string) (text string) {
	t.Helper()
	if err := s.reader.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// A server that takes connections and says nothing is left for one that answers.
func TestASilentServerIsPassedOver(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dsn := mariadb.Start(t)
	if _, err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := open(t, strings.Replace(dsn, "tcp(", "tcp("+l.Addr().String()+",", 1), Options{})
	for range 3 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < hostPatience {
		t.Errorf("it took %s: the first server was not tried", took)
	}
}

// A primary is demoted while a transaction is under way: what it has done so far is rolled back, and
// all of it runs again on the server that took over.
func TestATransactionMovesWholeToTheServerThatTookOver(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]int{"before a statement": 1, "before the commit": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := mariadb.NewServer(t), mariadb.NewServer(t)
			for _, s := range []*mariadb.Server{a, b} {
				if _, err := Migrate(t.Context(), s.DSN()); err != nil {
					t.Fatal(err)
				}
			}
			b.Query(t, "SET GLOBAL read_only = 1")
			s := open(t, a.PlainDSN(a.Address()+","+b.Address()), Options{})
			runs := 0
			err := s.write(t.Context(), func(tx txn) error {
				runs++
				for i := range 3 {
					if i == step && runs == 1 {
						a.Query(t, "SET GLOBAL read_only = 1")
						b.Query(t, "SET GLOBAL read_only = 0")
					}
					if i == 2 {
						return nil
					}
					if _, err := tx.exec("INSERT INTO jetmon_schema (version_id, is_applied) VALUES (?, 1)", 999990+i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil || runs != 2 {
				t.Errorf("%v, in %d runs", err, runs)
			}
			for server, want := range map[*mariadb.Server]string{a: "0", b: "2"} {
				if got := strings.TrimSpace(server.Query(t, "SELECT COUNT(*) FROM jetmon_schema WHERE version_id >= 999990")); got != want {
					t.Errorf("a server has %s of 2 rows, want %s", got, want)
				}
			}
		})
	}
}
