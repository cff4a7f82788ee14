package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listening is the socket of a supervisor.
type listening struct{ *net.UnixConn }

func listenAsSupervisor(t *testing.T, name string) listening {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return listening{conn}
}

// hear returns the next datagram.
func (l listening) hear(t *testing.T) string {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := l.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}

func (l listening) wants(t *testing.T, want string) {
	t.Helper()
	if got := l.hear(t); !strings.HasPrefix(got, want) {
		t.Fatalf("the supervisor hears %q, want %q", got, want)
	}
}

func TestTheSupervisorHearsWhenARoleWorksAndEnds(t *testing.T) {
	t.Parallel()
	heard := listenAsSupervisor(t, filepath.Join(t.TempDir(), "notify"))
	env := map[string]string{"NOTIFY_SOCKET": heard.LocalAddr().String()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		code, _, _ := runUntil(ctx, env, openly([]string{"veriflier", "--listen=127.0.0.1:0", "--name=v"})...)
		ended <- code
	}()
	heard.wants(t, "READY=1")
	heard.wants(t, "STATUS=working")
	cancel()
	heard.wants(t, "STOPPING=1\nSTATUS=ending")
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestTheSupervisorHearsForWhatARoleWaits(t *testing.T) {
	t.Parallel()
	heard := listenAsSupervisor(t, "@jetmon-"+filepath.Base(t.TempDir())+"-"+time.Now().Format("150405.000000"))
	s := newSupervisor(func(string) (string, bool) { return heard.LocalAddr().String(), true })
	s.patience = time.Second
	var away atomic.Pointer[error]
	why := errors.New("the database is away\nand so is its twin")
	away.Store(&why)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	began := time.Now()
	go func() {
		s.follow(ctx, func() error { return *away.Load() })
		close(ended)
	}()
	heard.wants(t, "STATUS=not ready: the database is away; and so is its twin")
	heard.wants(t, "READY=1")
	if took := time.Since(began); took < s.patience {
		t.Errorf("a role that is not ready counts as started after %s already", took)
	}
	var none error
	away.Store(&none)
	heard.wants(t, "STATUS=working")
	cancel()
	heard.wants(t, "STOPPING=1")
	<-ended
}

// A supervisor that is busy, at the start of a machine for example, reads nothing for a while. Without
// READY=1 it would end the role.
func TestASupervisorThatIsBusyHearsThatTheRoleHasStarted(t *testing.T) {
	t.Parallel()
	heard := listenAsSupervisor(t, filepath.Join(t.TempDir(), "notify"))
	filling, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: heard.LocalAddr().String(), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer filling.Close()
	if err := filling.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	queued := 0
	for ; err == nil; queued++ {
		_, err = filling.Write([]byte("of another unit"))
	}
	s := newSupervisor(func(string) (string, bool) { return heard.LocalAddr().String(), true })
	ctx, cancel := context.WithCancel(t.Context())
	asked, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		s.follow(ctx, func() error {
			asked <- struct{}{}
			return nil
		})
		close(ended)
	}()
	for range 2 { // what was told after the first question has been lost
		<-asked
	}
	for range queued - 1 {
		heard.wants(t, "of another unit")
	}
	told := map[string]bool{}
	for range 2 {
		told[heard.hear(t)] = true
	}
	if !told["READY=1"] || !told["STATUS=working"] {
		t.Errorf("the supervisor hears %v", told)
	}
	cancel()
	<-ended
}

func TestAStatusThatIsTooLongIsCut(t *testing.T) {
	t.Parallel()
	heard := listenAsSupervisor(t, filepath.Join(t.TempDir(), "notify"))
	s := newSupervisor(func(string) (string, bool) { return heard.LocalAddr().String(), true })
	s.status(errors.New(strings.Repeat("away ", 100_000)))
	if got := heard.hear(t); !strings.HasPrefix(got, "STATUS=not ready: away away") || len(got) > 2000 {
		t.Errorf("the supervisor hears %d bytes", len(got))
	}
}

func TestARoleWithoutASupervisorTellsNobody(t *testing.T) {
	t.Parallel()
	newSupervisor(func(string) (string, bool) { return "", false }).follow(t.Context(), func() error {
		t.Error("asked although nobody wants to know")
		return nil
	})
	gone := newSupervisor(func(string) (string, bool) { return filepath.Join(t.TempDir(), "gone"), true })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone.follow(ctx, func() error { return nil }) // and ends
}
