package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// asProgram makes the test binary be the program.
const asProgram = "BE_JETMON"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// output is what a command writes, for a test that waits for something in it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func newOutput() *output { return &output{written: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.written <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits for a line that matches and returns the first group.
func (o *output) find(t *testing.T, pattern string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	re := regexp.MustCompile(pattern)
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-o.written:
		case <-ctx.Done():
			t.Fatalf("nothing matches %s in:\n%s", pattern, o)
		}
	}
}

// running is a command in this process.
type running struct {
	out, errs *output
	cancel    context.CancelFunc
	code      chan int
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{out: newOutput(), errs: newOutput(), cancel: cancel, code: make(chan int, 1)}
	p := program{LookupEnv: func(string) (string, bool) { return "", false }, Out: r.out, Err: r.errs}
	go func() { r.code <- p.Run(ctx, openly(args)) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

// openly has a role of a test that is not about credentials ask for none.
func openly(args []string) []string {
	roles := []string{"coordinator", "checker", "veriflier", "gateway"}
	if len(args) == 0 || !slices.Contains(roles, args[0]) {
		return args
	}
	line := strings.Join(args, " ")
	for _, flag := range []string{" --token-file", " --tls-client-ca", " --coordinator-token-file", " --coordinator-tls-cert", " --insecure", " --certs", " --config", " --help"} {
		if strings.Contains(line, flag) {
			return args
		}
	}
	return append(slices.Clone(args), "--insecure")
}

// stop ends the command as a signal does, and wants exit code 0 in time.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	timer := time.NewTimer(drainTimeout + 2*time.Second)
	defer timer.Stop()
	select {
	case code := <-r.code:
		if code != exitOK {
			t.Errorf("exit code %d, want 0; stderr:\n%s", code, r.errs)
		}
		r.code <- code
	case <-timer.C:
		t.Errorf("did not end; stderr:\n%s", r.errs)
	}
}

// startProcess starts this test binary as the program. It is killed when the test ends.
func startProcess(t *testing.T, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	return startProcessUntil(t, t.Context(), args...)
}

// startProcessUntil is startProcess for a process that is killed when ctx ends.
func startProcessUntil(t *testing.T, ctx context.Context, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, openly(args)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	errs := newOutput()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, errs
}

// answers waits until a gRPC server says that it serves.
func answers(t *testing.T, addr string) {
	t.Helper()
	conn, err := rpc.Dial(addr, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := watch.Recv()
		if err != nil {
			t.Fatalf("%s does not serve: %v", addr, err)
		}
		if resp.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return
		}
	}
}

func TestTerminatedProcessDrainsAndExitsWith0(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd, errs := startProcess(t, "veriflier", "--listen=127.0.0.1:0")
			answers(t, errs.find(t, `address=(\S+)`))
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v; stderr:\n%s", err, errs)
			}
		})
	}
}

func TestSecondSignalEndsAtOnceWithExitCode1(t *testing.T) {
	t.Parallel()
	// A site that never answers keeps a check running, and the veriflier from ending.
	site, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { site.Close() })
	cmd, errs := startProcess(t, "veriflier", "--listen=127.0.0.1:0", "--allow-private")
	conn, err := rpc.Dial(errs.find(t, `address=(\S+)`), rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	answer := make(chan error, 1)
	go func() {
		_, err := veriflierv1.NewVeriflierServiceClient(conn).Verify(t.Context(), &veriflierv1.VerifyRequest{
			RequestId: "x", Target: &checkv1.Target{Url: "http://" + site.Addr().String() + "/", TimeoutMillis: 60_000},
		})
		answer <- err
	}()
	if c, err := site.Accept(); err != nil { // the check runs
		t.Fatal(err)
	} else {
		defer c.Close()
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	begin := time.Now()
	again := time.NewTicker(sameSignal / 2)
	defer again.Stop()
	for {
		// The error is that the process has ended.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if cmd.ProcessState.ExitCode() != exitFailed {
				t.Errorf("exit code %d (%v), want %d", cmd.ProcessState.ExitCode(), err, exitFailed)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s: it drained", took)
			}
			if !strings.Contains(errs.String(), "second signal") {
				t.Errorf("stderr does not say why:\n%s", errs)
			}
			if err := <-answer; status.Code(err) != codes.Unavailable {
				t.Errorf("the cut call ends with %v, want Unavailable", err)
			}
			return
		case <-again.C:
		}
	}
}

func TestRoleThatDoesNotEndIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		defer close(release)
		cancel()
		begin := time.Now()
		err := drained(ctx, func() error { <-release; return nil })
		if err == nil || time.Since(begin) != drainTimeout {
			t.Errorf("gave up after %s with %v, want %s and an error", time.Since(begin), err, drainTimeout)
		}
	})
}

func TestMigrateSaysWhatItDid(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	file := write(t, "dsn", dsn+"\n")
	for _, want := range []string{"applied ", "nothing to do"} {
		code, stdout, stderr := run(t, nil, "migrate", "--db=@"+file)
		if code != exitOK || !strings.HasPrefix(stdout, want) {
			t.Errorf("exit code %d, stdout %q, stderr %q; want 0 and %q", code, stdout, stderr, want)
		}
	}
}

func TestDatabaseThatDoesNotAnswerIsOneLineAndExitCode1(t *testing.T) {
	t.Parallel()
	const dsn = "--db=mysql://jetmon:very-secret@tcp(127.0.0.1:1)/jetmon"
	code, _, stderr := run(t, nil, "migrate", dsn)
	if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("exit code %d, stderr %q; want %d and one line that names the database", code, stderr, exitFailed)
	}
	if strings.Contains(stderr, "very-secret") {
		t.Errorf("stderr shows the password: %q", stderr)
	}
}

func TestCoordinatorOnAnEmptyDatabaseSaysWhatToDo(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "new.db")
	code, _, stderr := run(t, nil, "coordinator", "--listen=127.0.0.1:0", "--db=sqlite:"+db)
	if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "jetmon migrate") {
		t.Errorf("exit code %d, stderr %q; want %d and one line that says jetmon migrate", code, stderr, exitFailed)
	}
}
