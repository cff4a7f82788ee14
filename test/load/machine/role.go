//go:build linux

package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	listenWithin = time.Minute
	stopWithin   = 15 * time.Second
)

// Role is a process of a role, which ends with this one.
type Role struct {
	cmd *exec.Cmd
	// Address is where it listens.
	Address string
	ended   chan struct{} // closed when its log has ended

	mu  sync.Mutex
	log []string // the last lines
}

// Start runs a role of a program and waits until it listens.
func Start(ctx context.Context, program, role string, args ...string) (*Role, error) {
	p := &Role{ended: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{role, "--log-format=json", "--log-level=info"}, args...)...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	listening := make(chan struct{})
	go p.read(log, role, listening)
	select {
	case <-listening:
		return p, nil
	case <-p.ended:
		err = errors.New("it ended")
	case <-time.After(listenWithin):
		err = errors.New("it does not listen")
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	return nil, fmt.Errorf("start the %s: %w: %s", role, err, strings.Join(p.log, "\n"))
}

// read reads the log until it ends, and finds the address in it.
func (p *Role) read(log io.Reader, role string, listening chan<- struct{}) {
	defer close(p.ended)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct{ Msg, Role, Address string }
		_ = json.Unmarshal(lines.Bytes(), &l) // a line that is not JSON is kept, too
		p.mu.Lock()
		p.log = append(p.log[max(0, len(p.log)-20):], lines.Text())
		p.mu.Unlock()
		if l.Msg == "started" && l.Role == role && p.Address == "" {
			p.Address = l.Address
			close(listening)
		}
	}
	_, _ = io.Copy(io.Discard, log) // a line that is too long must not block the process
}

// PID returns its process id.
func (p *Role) PID() int { return p.cmd.Process.Pid }

// Stop ends the process, by force if it takes too long.
func (p *Role) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.cmd.Wait() // its exit code says nothing about what was measured
}
