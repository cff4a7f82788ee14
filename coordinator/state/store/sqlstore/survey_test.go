package sqlstore

import (
	"net"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/mariadb"
)

// talkative listens as a server that is no database, and returns its address.
func talkative(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(says))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

func TestASurveyTellsOfEachServer(t *testing.T) {
	t.Parallel()
	well, standby, empty := mariadb.NewServer(t), mariadb.NewServer(t), mariadb.NewServer(t)
	for _, s := range []*mariadb.Server{well, standby} {
		if _, err := Migrate(t.Context(), s.DSN()); err != nil {
			t.Fatal(err)
		}
	}
	standby.Query(t, "SET GLOBAL read_only = 1")
	dsn := well.PlainDSN(strings.Join([]string{well.Address(), standby.Address(), empty.Address(), "127.0.0.1:1", talkative(t, "SSH-2.0-OpenSSH_9.2p1\r\n")}, ","))
	all, err := Survey(t.Context(), dsn)
	if err != nil || len(all) != 5 {
		t.Fatalf("%v, %v", all, err)
	}
	for i, want := range []struct{ readOnly, away, fails bool }{
		{}, {readOnly: true}, {fails: true}, {fails: true, away: true}, {fails: true},
	} {
		got := all[i]
		if got.ReadOnly != want.readOnly || (got.Err != nil) != want.fails || want.fails && i < 4 && IsAway(got.Err) != want.away {
			t.Errorf("server %d, %s, is read-only: %t; %v", i+1, got.Server, got.ReadOnly, got.Err)
		}
		if (got.Engine.kind == mariaKind) == want.fails {
			t.Errorf("server %d is %s", i+1, got.Engine)
		}
	}
	// And whatever the others are, the store works on the one that does.
	s := open(t, well.PlainDSN(all[4].Server+","+empty.Address()+","+standby.Address()+","+well.Address()), Options{})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if all, err := Survey(t.Context(), well.DSN()); err != nil || len(all) != 0 {
		t.Errorf("of one server there is %v, %v", all, err)
	}
}
