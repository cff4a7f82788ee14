package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP asks a daemon to read its configuration again. No command may end by it, also not
// while it starts: the default action ends a process undrained.
func TestHangupEndsNoCommand(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	for _, args := range [][]string{
		{"coordinator", "--listen=127.0.0.1:0", "--veriflier=name=v,region=eu,addr=127.0.0.1:1", db},
		{"checker", "--coordinator=127.0.0.1:1"},
		{"veriflier", "--listen=127.0.0.1:0"},
		{"gateway", "--listen=127.0.0.1:0", "--coordinator=127.0.0.1:1"},
		{"dev", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			cmd, errs := startProcess(t, append(args, "--debug-listen=127.0.0.1:0", "--log-level=info")...)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			debug := errs.find(t, `msg="debug listener".* address=(\S+)`)
			for _, when := range []string{"while it starts", "when it works"} {
				hangUp(t, cmd, errs, ended, when)
				getText(t, "http://"+debug+"/healthz") // it answers when Run has begun
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("SIGTERM after SIGHUP: %v; stderr:\n%s", err, errs)
			}
		})
	}
}

// hangUp sends SIGHUP and waits until the process logs that it has reloaded or ignores it.
func hangUp(t *testing.T, cmd *exec.Cmd, errs *output, ended <-chan error, when string) {
	t.Helper()
	before := len(errs.String())
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatalf("SIGHUP %s: %v", when, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !strings.Contains(errs.String()[before:], "SIGHUP ignored") && !strings.Contains(errs.String()[before:], "configuration reloaded") {
		select {
		case <-errs.written:
		case err := <-ended:
			t.Fatalf("SIGHUP %s ended it: %v; stderr:\n%s", when, err, errs)
		case <-ctx.Done():
			t.Fatalf("SIGHUP %s is not answered; stderr:\n%s", when, errs)
		}
	}
}
