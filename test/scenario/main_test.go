package scenario

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/test/gocmd"
)

// places limits the systems that run at the same time. Stories wait more than they work, so
// there are more places than cores.
const (
	stories = 64
	systems = 5
)

var (
	places = make(chan struct{}, systems)
	// grids does the same for those of several coordinators, each nine processes and a
	// database of its own.
	grids = make(chan struct{}, 2)
	// programDir is where the binary is built; TestMain makes and removes it.
	programDir string
	program    = sync.OnceValues(build)
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(stories)); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "jetmon-scenario-")
	if err != nil {
		panic(err)
	}
	programDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

// build compiles the real program.
func build() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	path := filepath.Join(programDir, "jetmon")
	cmd := gocmd.Command(ctx, "build", "-buildvcs=false", "-o", path, "github.com/Automattic/jetmon/cmd/jetmon")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// takePlace waits until another system may run, until the test ends.
func takePlace(t *testing.T) {
	t.Helper()
	places <- struct{}{}
	t.Cleanup(func() { <-places })
}

// await waits until done returns true. Patience is long because of the load of a whole test
// run; stories check promised times themselves.
func await(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// patience is the limit where no time is promised.
const patience = 90 * time.Second
