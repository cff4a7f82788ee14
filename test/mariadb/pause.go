package mariadb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Pause stops the server's process until Resume. The process keeps its connections. When Pause
// returns, each of its threads has stopped: on a loaded machine they go on for a while, and
// answer.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	pid := s.signal(t, syscall.SIGSTOP)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		running, err := runningThreads(pid)
		if err != nil {
			t.Fatal(err)
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads of mariadbd do not stop", running)
		}
	}
}

// Resume continues a paused server.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
}

// runningThreads counts the threads of a process that have not stopped.
func runningThreads(pid int) (n int, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		// The state follows the name, which is in brackets and may contain anything.
		if state := bytes.TrimSpace(text[bytes.LastIndexByte(text, ')')+1:]); len(state) == 0 || state[0] != 'T' {
			n++
		}
	}
	return n, nil
}
