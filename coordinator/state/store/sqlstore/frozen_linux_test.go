package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/Automattic/jetmon/test/mariadb"
)

// deaf returns an address where whoever connects hears nothing: its queue is full, so that the kernel
// drops what begins a connection, as a firewall does.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for range 16 {
		conn, err := net.DialTimeout("tcp", address, 300*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue is never full")
	return ""
}

func TestAServerBehindAFirewallThatSaysNothingIsPassedOver(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	if _, err := Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := open(t, strings.Replace(dsn, "tcp(", "tcp("+deaf(t)+",", 1), Options{})
	for range 3 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < hostPatience {
		t.Errorf("it took %s: the first server was not tried", took)
	}
}

// A server whose process stands still keeps its connections, and the kernel takes new ones for it.
func TestTheLeasesMoveFromAServerThatFreezesInTime(t *testing.T) {
	t.Parallel()
	a, b := mariadb.NewServer(t), mariadb.NewServer(t)
	for _, s := range []*mariadb.Server{a, b} {
		if _, err := Migrate(t.Context(), s.DSN()); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, a.PlainDSN(a.Address()+","+b.Address()), Options{})
	var idle []*sql.Conn
	for range s.leases.Stats().MaxOpenConnections {
		conn, err := s.leases.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	for _, conn := range idle {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	a.Pause(t)
	began := time.Now()
	for s.ping4(t) != nil {
		if time.Since(began) > 20*time.Second {
			t.Fatal("the leases end before another server is found")
		}
	}
	t.Logf("on another server after %s", time.Since(began).Round(time.Millisecond))
}

// ping4 pings with the time that the renewal of a lease has.
func (s *Store) ping4(t *testing.T) error {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	return s.Ping(ctx)
}
