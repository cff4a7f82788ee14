package scenario

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output collects what a process writes, readable while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is the real program as a process. It can be restarted after its end.
type process struct {
	name string
	args []string
	// program is the file to run; empty for the program under test.
	program string
	// found is what says in the output that it is ready; its group is the address.
	ready *regexp.Regexp

	cmd    *exec.Cmd
	out    *output
	ended  chan struct{}
	waited error
}

// underTest is the file of the program under test.
func underTest(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command returns a command that runs the program and never outlives this process.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return commandOf(underTest(t), args...)
}

func commandOf(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "JETMON_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start runs the process and waits until it is ready. Somebody else's connection may briefly
// use its port after an earlier run.
func (p *process) start(t *testing.T) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		p.launch(t)
		var found []string
		await(t, p.name+" says where it is, or ends", patience, func() bool {
			found = p.ready.FindStringSubmatch(p.out.String())
			return found != nil || p.isOver()
		})
		switch {
		case found != nil:
			return found[1]
		case !strings.Contains(p.out.String(), "address already in use") || time.Now().After(deadline):
			t.Fatalf("%s ended (%v):\n%s", p.name, p.waited, p.out)
		}
	}
}

func (p *process) launch(t *testing.T) {
	t.Helper()
	path := p.program
	if path == "" {
		path = underTest(t)
	}
	p.cmd, p.out, p.ended = commandOf(path, p.args...), &output{}, make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	cmd, ended := p.cmd, p.ended
	go func() {
		p.waited = cmd.Wait()
		close(ended)
	}()
}

func (p *process) isOver() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process as a crash does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.cmd == nil || p.isOver() {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill %s: %v", p.name, err)
	}
	<-p.ended
}

// terminate sends SIGTERM; finished checks the result.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Errorf("%v to %s: %v", s, p.name, err)
	}
}

// finished waits for the end after SIGTERM: within 10 s, with exit code 0.
func (p *process) finished(t *testing.T, asked time.Time) {
	t.Helper()
	const promised = 10 * time.Second
	timer := time.NewTimer(time.Until(asked.Add(promised + 5*time.Second)))
	defer timer.Stop()
	select {
	case <-p.ended:
		if took := time.Since(asked); took > promised {
			t.Errorf("%s took %s to end, want at most %s", p.name, took, promised)
		}
		if p.waited != nil {
			t.Errorf("%s ended with %v, want exit code 0; it wrote:\n%s", p.name, p.waited, p.out)
		}
	case <-timer.C:
		p.kill(t)
		t.Errorf("%s does not end after SIGTERM; it wrote:\n%s", p.name, p.out)
	}
}

// run runs the program to its end.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if _, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok && cmd.ProcessState == nil {
		t.Fatal("the process has no end")
	}
	if ctx.Err() != nil {
		t.Errorf("jetmon %s did not end", strings.Join(args, " "))
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
