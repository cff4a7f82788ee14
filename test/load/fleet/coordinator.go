//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	askWithin    = 10 * time.Second
	profileFor   = 20 * time.Second
)

// coordinator is the measured process.
type coordinator struct {
	cmd            *exec.Cmd
	started        time.Time
	address, debug string
	conn           *grpc.ClientConn
	fleet          monitorv1.FleetServiceClient
	ended          chan struct{} // closed when its log has ended

	mu  sync.Mutex
	log []string // the last lines, without those at level INFO
	// sites is the number of loaded sites, and took the time of their load.
	sites int
	took  time.Duration
}

// startCoordinator runs `jetmon coordinator` with an operator's options. Its only veriflier
// does not exist and it sends no notifications, since nothing goes down.
func startCoordinator(ctx context.Context, p plan, program, dsn string) (*coordinator, error) {
	c := &coordinator{ended: make(chan struct{})}
	c.cmd = exec.Command(program, "coordinator", "--db="+dsn, "--node=fleet", "--listen=127.0.0.1:0", "--insecure",
		"--debug-listen=127.0.0.1:0", "--log-format=json", "--log-level=info", "--db-updates", "--no-notify", "--diagnose-metadata-url=none",
		"--veriflier=name=nobody,region=loopback,addr=127.0.0.1:1")
	c.cmd.Env = os.Environ()
	for name, value := range map[string]string{"GOGC": p.gogc, "GOMEMLIMIT": p.memory} {
		if value != "" {
			c.cmd.Env = append(c.cmd.Env, name+"="+value)
		}
	}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	log, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start the coordinator: %w", err)
	}
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the coordinator: %w", err)
	}
	listening := make(chan struct{})
	go c.read(log, listening)
	timer := time.NewTimer(listenWithin)
	defer timer.Stop()
	select {
	case <-listening:
	case <-c.ended:
		return nil, errors.Join(errors.New("the coordinator ended: "+c.lastWords()), c.stop())
	case <-timer.C:
		return nil, errors.Join(errors.New("the coordinator does not listen: "+c.lastWords()), c.stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.stop())
	}
	if c.conn, err = rpc.Dial(c.address, rpc.ClientOptions{}); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	c.fleet = monitorv1.NewFleetServiceClient(c.conn)
	return c, nil
}

// read reads the log until it ends, and finds the addresses in it.
func (c *coordinator) read(log io.Reader, listening chan<- struct{}) {
	defer close(c.ended)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Msg, Level, Role, Address string
			Sites                     int
			TookMS                    int64 `json:"took_ms"`
		}
		_ = json.Unmarshal(lines.Bytes(), &l) // a line that is not JSON is kept like a warning
		switch {
		case l.Msg == "debug listener":
			c.debug = l.Address // comes before the coordinator's own address
		case l.Msg == "started" && l.Role == "coordinator" && c.address == "":
			c.address = l.Address
			close(listening)
		case l.Msg == "sites loaded":
			c.mu.Lock()
			c.sites, c.took = c.sites+l.Sites, c.took+time.Duration(l.TookMS)*time.Millisecond
			c.mu.Unlock()
		case l.Level != "INFO":
			c.mu.Lock()
			c.log = append(c.log[max(0, len(c.log)-20):], lines.Text())
			c.mu.Unlock()
		}
	}
	_, _ = io.Copy(io.Discard, log) // a line that is too long must not block the process
}

// loaded waits until the log reports that all sites are loaded, and returns the time of the
// load.
func (c *coordinator) loaded(ctx context.Context, sites int) (time.Duration, error) {
	for {
		c.mu.Lock()
		said, took := c.sites, c.took
		c.mu.Unlock()
		if said >= sites {
			return took, nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return 0, fmt.Errorf("it says that %d of %d sites are loaded: %w", said, sites, err)
		}
	}
}

func (c *coordinator) lastWords() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.log, "\n")
}

func (c *coordinator) pid() int { return c.cmd.Process.Pid }

// status returns the coordinator's status.
func (c *coordinator) status(ctx context.Context) (*monitorv1.CoordinatorStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := c.fleet.GetFleet(ctx, &monitorv1.GetFleetRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask the coordinator: %w", err)
	}
	return r.GetFleet().GetCoordinator(), nil
}

// profile writes a profile of the coordinator to a file.
func (c *coordinator) profile(ctx context.Context, kind, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*profileFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.debug+"/debug/pprof/"+kind, nil)
	if err != nil {
		return err
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("fetch a profile: %w", err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return fmt.Errorf("fetch a profile: %w", err)
	}
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch a profile: %s: %s", got.Status, text)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	return os.WriteFile(file, text, 0o644)
}

// stop ends the process with SIGTERM, and kills it if it does not end in time.
func (c *coordinator) stop() error {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the coordinator ended: %w: %s", err, c.lastWords())
	}
	return nil
}
