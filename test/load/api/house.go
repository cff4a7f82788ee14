//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	listenWithin = time.Minute
	stopWithin   = 15 * time.Second
)

// house is a coordinator and a gateway.
type house struct {
	coordinator, gateway *process
	conn                 *grpc.ClientConn
	sites                monitorv1.SiteServiceClient
	rest                 *http.Client
	base                 string
	database             int // the process id of MariaDB
}

func openHouse(ctx context.Context, program, dsn string) (h *house, err error) {
	h = &house{}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	h.coordinator, err = start(ctx, program, "coordinator", "--db="+dsn, "--node=api", "--listen=127.0.0.1:0", "--insecure",
		"--db-updates", "--no-notify", "--diagnose-metadata-url=none", "--veriflier=name=nobody,region=loopback,addr=127.0.0.1:1")
	if err != nil {
		return h, err
	}
	h.gateway, err = start(ctx, program, "gateway", "--coordinator="+h.coordinator.address, "--listen=127.0.0.1:0", "--insecure")
	if err != nil {
		return h, err
	}
	if h.conn, err = rpc.Dial(h.coordinator.address, rpc.ClientOptions{}); err != nil {
		return h, err
	}
	h.sites = monitorv1.NewSiteServiceClient(h.conn)
	h.base = "http://" + h.gateway.address
	h.rest = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext,
	}}
	return h, nil
}

func (h *house) close() {
	if h.conn != nil {
		_ = h.conn.Close() // nothing is left to lose
	}
	for _, p := range []*process{h.gateway, h.coordinator} {
		if p != nil {
			p.stop()
		}
	}
}

// process is a role.
type process struct {
	cmd     *exec.Cmd
	address string
	ended   chan struct{} // closed when its log has ended

	mu  sync.Mutex
	log []string // the last lines
}

// start runs a role and waits until it listens.
func start(ctx context.Context, program, role string, args ...string) (*process, error) {
	p := &process{ended: make(chan struct{})}
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
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	return nil, fmt.Errorf("start the %s: %w: %s", role, err, strings.Join(p.log, "\n"))
}

// read reads the log until it ends, and finds the address in it.
func (p *process) read(log io.Reader, role string, listening chan<- struct{}) {
	defer close(p.ended)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct{ Msg, Role, Address string }
		_ = json.Unmarshal(lines.Bytes(), &l) // a line that is not JSON is kept, too
		p.mu.Lock()
		p.log = append(p.log[max(0, len(p.log)-20):], lines.Text())
		p.mu.Unlock()
		if l.Msg == "started" && l.Role == role && p.address == "" {
			p.address = l.Address
			close(listening)
		}
	}
	_, _ = io.Copy(io.Discard, log) // a line that is too long must not block the process
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process, by force if it takes too long.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.cmd.Wait() // its exit code says nothing about what was measured
}
