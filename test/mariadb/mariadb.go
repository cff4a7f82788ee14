package mariadb

import (
	"errors"
	"sync"
	"testing"
)

// errMissing is the only error message on a machine without MariaDB.
var errMissing = errors.New("mariadbd is missing: install Debian's mariadb-server (make test does it as root)")

// shared is the server of this test process.
var shared = sync.OnceValues(func() (*Server, error) { return Launch(Options{}) })

// Start returns the DSN of a fresh, empty database on the server of this test
// process, which the first call starts.
func Start(t testing.TB) (dsn string) {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.Database(t)
}

// NewServer starts a separate server for the test, with one empty database. It ends with the
// test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	return NewServerWith(t, Options{})
}

// NewServerWith is NewServer for a server that differs from what most tests need.
func NewServerWith(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(forget); err != nil {
			t.Error(err)
		}
	})
	s.dsn = s.Database(t)
	return s
}
