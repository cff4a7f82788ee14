package scenario

import (
	"regexp"
	"testing"
)

// running holds the nodes of a system that run as real processes, and their addresses.
type running struct {
	processes map[node]*process
	addresses map[node]string
	// program is the file that nodes are started from; empty for the program under test.
	program string
}

func newRunning() running {
	return running{processes: map[node]*process{}, addresses: map[node]string{}}
}

// run starts a node on a free port, which it keeps across restarts. It asks nobody who they are.
func (r *running) run(t *testing.T, n node, ready string, args ...string) {
	t.Helper()
	args = append(args, "--insecure")
	p := &process{name: string(n), ready: regexp.MustCompile(ready), args: args, program: r.program}
	if args[0] != "checker" {
		p.args = append(args, "--listen=127.0.0.1:0")
	}
	r.processes[n] = p
	t.Cleanup(func() { p.kill(t) })
	r.addresses[n] = p.start(t)
	if args[0] != "checker" {
		p.args = append(args, "--listen="+r.addresses[n])
	}
}
