package scenario

import (
	"syscall"
	"testing"
)

// kill ends a node as a crash does.
func (g *grid) kill(t *testing.T, n node) {
	t.Helper()
	if n == database {
		g.server.Kill(t)
		return
	}
	g.processes[n].kill(t)
}

// revive starts a node that was killed.
func (g *grid) revive(t *testing.T, n node) {
	t.Helper()
	if n == database {
		g.server.Restart(t)
		return
	}
	g.processes[n].start(t)
}

// pause stops a node with SIGSTOP, as if its machine swapped or were moved.
func (g *grid) pause(t *testing.T, n node) {
	t.Helper()
	if n == database {
		g.server.Pause(t)
		return
	}
	g.processes[n].signal(t, syscall.SIGSTOP)
}

// resume lets a paused node go on.
func (g *grid) resume(t *testing.T, n node) {
	t.Helper()
	if n == database {
		g.server.Resume(t)
		return
	}
	g.processes[n].signal(t, syscall.SIGCONT)
}

// cut disconnects a node from the network, heal reconnects it.
func (g *grid) cut(n node) { g.each(n, (*wire).cut) }

func (g *grid) heal(n node) { g.each(n, (*wire).heal) }

func (g *grid) each(n node, do func(*wire)) {
	for ends, w := range g.wires {
		if ends[0] == n || ends[1] == n {
			do(w)
		}
	}
}
