package ownership_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/ownership"
)

// node is one coordinator in a synctest bubble: an Ownership, and what it has in memory.
type node struct {
	*ownership.Ownership
	*link
	name   string
	cancel context.CancelFunc
	ended  chan struct{} // when Run has
	err    error         // of Run
	drop   time.Duration // how long dropping a shard takes

	state     sync.Mutex
	sites     map[shard.ID]bool // the shards that were gained and not lost
	gained    []shard.ID
	lost      []shard.ID
	unwritten []shard.ID // lost while they could not be written to
	settled   int
	wrong     error
}

// part defines how a node differs from one that takes everything.
type part struct {
	first, last shard.ID
	drop        time.Duration
	faults      faults
	alone       bool
	voice       shard.Voice
}

func start(t *testing.T, r *registry, name string, p part) *node {
	t.Helper()
	if p.last == 0 {
		p.last = shard.Count - 1
	}
	n := &node{
		link: &link{registry: r, faults: p.faults, rng: rand.New(rand.NewPCG(1, uint64(len(name))))}, name: name,
		ended: make(chan struct{}), drop: p.drop, sites: map[shard.ID]bool{},
	}
	o := ownership.Options{
		Store: n.link, Members: n.link, Node: name, Endpoint: name + ":7800", First: p.first, Last: p.last,
		Voice: p.voice, Log: slog.New(slog.DiscardHandler),
	}
	if p.alone {
		o.Members = nil
	}
	n.Ownership = ownership.New(o)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(n.ended)
		n.err = n.Run(ctx, n)
	}()
	t.Cleanup(func() { // when the test has failed
		n.cancel()
		n.goOn()
		<-n.ended
	})
	synctest.Wait()
	return n
}

func (n *node) Gained(s shard.ID) {
	n.state.Lock()
	defer n.state.Unlock()
	if n.sites[s] {
		n.wrong = fmt.Errorf("%s gained shard %d, and had not lost it", n.name, s)
	}
	n.sites[s] = true
	n.gained = append(n.gained, s)
}

func (n *node) Lost(s shard.ID) {
	_, provable := n.Fence(s)
	if n.drop > 0 {
		time.Sleep(n.drop)
		_, still := n.Fence(s)
		provable = provable && still
	}
	n.state.Lock()
	defer n.state.Unlock()
	if !n.sites[s] {
		n.wrong = fmt.Errorf("%s lost shard %d, which it had not gained", n.name, s)
	}
	if !provable {
		n.unwritten = append(n.unwritten, s)
	}
	delete(n.sites, s)
	n.lost = append(n.lost, s)
}

func (n *node) Settled() {
	n.state.Lock()
	defer n.state.Unlock()
	n.settled++
}

// has lists the shards that were gained and not lost.
func (n *node) has() []shard.ID {
	n.state.Lock()
	defer n.state.Unlock()
	return slices.Sorted(maps.Keys(n.sites))
}

// told is how often each callback was called.
func (n *node) told() (gained, lost, settled int) {
	n.state.Lock()
	defer n.state.Unlock()
	return len(n.gained), len(n.lost), n.settled
}

// sure lists the shards that can be written to.
func (n *node) sure() (out []shard.ID) {
	for s := range shard.ID(shard.Count) {
		if _, ok := n.Fence(s); ok {
			out = append(out, s)
		}
	}
	return out
}

// end stops a node in order, kill without a word.
func (n *node) end(t *testing.T) {
	t.Helper()
	n.cancel()
	<-n.ended
	if n.err != nil {
		t.Error(n.err)
	}
	n.state.Lock()
	defer n.state.Unlock()
	if n.wrong != nil {
		t.Error(n.wrong)
	}
}

func (n *node) kill(t *testing.T) {
	t.Helper()
	n.set(faults{away: true})
	n.end(t)
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// watch looks every 50 ms for shards that two of the nodes could write to at once, and
// for as long as it waits until something is so. It returns how long that took.
func watch(t *testing.T, nodes []*node, most time.Duration, until func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		onlyOneIsSure(t, nodes)
		took := time.Since(began)
		if until != nil && until() {
			return took
		}
		if took >= most {
			if until != nil {
				t.Fatalf("not so after %s", took)
			}
			return took
		}
		after(50 * time.Millisecond)
	}
}

func onlyOneIsSure(t *testing.T, nodes []*node) {
	t.Helper()
	owner := map[shard.ID]string{}
	for _, n := range nodes {
		for _, s := range n.sure() {
			if owner[s] != "" {
				t.Fatalf("%s and %s are both sure of shard %d", owner[s], n.name, s)
			}
			owner[s] = n.name
		}
	}
}

// even reports whether all shards are owned and written to by one node each, and numbers
// differ by one at most.
func even(nodes ...*node) func() bool {
	return func() bool {
		total, least, most := 0, shard.Count, 0
		for _, n := range nodes {
			owned := n.Held().Staying()
			if !slices.Equal(owned, n.sure()) || !slices.Equal(owned, n.has()) {
				return false
			}
			total += len(owned)
			least, most = min(least, len(owned)), max(most, len(owned))
		}
		return total == shard.Count && most-least <= 1
	}
}
