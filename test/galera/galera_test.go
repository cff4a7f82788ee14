//go:build galera

package galera

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGaleraNodesFailAndComeBack(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := New(t)
	t.Logf("three nodes after %s", time.Since(began).Round(time.Millisecond))
	dsns := c.Database(t)
	name := dsns[0][strings.LastIndex(dsns[0], "/")+1:]
	a, b, last := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	a.run(t, "CREATE TABLE "+name+".kept (id INT PRIMARY KEY)")
	add := func(n *Node, id string) {
		t.Helper()
		n.run(t, "INSERT INTO "+name+".kept VALUES ("+id+")")
	}
	count := func(n *Node) string {
		t.Helper()
		return strings.TrimSpace(n.run(t, "SET SESSION wsrep_sync_wait = 7; SELECT COUNT(*) FROM "+name+".kept"))
	}
	add(a, "1")
	for _, n := range c.Nodes {
		if got := count(n); got != "1" {
			t.Fatalf("%s has %s rows, want 1", n.Name, got)
		}
	}

	last.Hold(t)
	add(b, "2")
	if stale := strings.TrimSpace(last.run(t, "SELECT COUNT(*) FROM "+name+".kept")); stale != "1" {
		t.Errorf("a node that is held has %s rows, want that it knows of 1", stale)
	}
	last.Release(t)
	if got := count(last); got != "2" {
		t.Errorf("after it was released it has %s rows, want 2", got)
	}

	b.Isolate(t)
	if _, err := b.Run(t.Context(), "SELECT COUNT(*) FROM "+name+".kept"); err == nil || !strings.Contains(err.Error(), "1047") {
		t.Errorf("a node that is cut off answers %v, want error 1047", err)
	}
	add(a, "3")
	b.Rejoin(t)
	if got := count(b); got != "3" {
		t.Errorf("after it was cut off it has %s rows, want 3", got)
	}

	// The first one can be killed, too: the group goes on without who founded it.
	a.Kill(t)
	add(b, "4")
	began = time.Now()
	a.Return(t)
	t.Logf("a killed node is back after %s", time.Since(began).Round(time.Millisecond))
	if got := count(a); got != "4" {
		t.Errorf("after it was killed it has %s rows, want 4", got)
	}
	if text := a.Log(); !strings.Contains(text, "IST received") && !strings.Contains(text, "Receiving IST") {
		t.Error("it came back with a copy of everything instead of what it had missed")
	}
}
