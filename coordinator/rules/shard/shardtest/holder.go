// Package shardtest has a shard.Holder that tests set by hand.
package shardtest

import (
	"sync"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Node is the name of the coordinator in a Holder's fences.
const Node = "us"

// Holder is a shard.Holder whose tenures tests set. New makes one.
type Holder struct {
	mu        sync.Mutex
	held      shard.Held
	directory shard.Directory
	refreshes int
	// reads makes the next directory for Refresh, when it is not nil.
	reads func(shard.Directory) shard.Directory
}

var _ shard.Holder = (*Holder)(nil)

// New makes a Holder that certainly holds the given shards in term 1; all when none is given.
func New(shards ...shard.ID) *Holder {
	h := &Holder{}
	if len(shards) == 0 {
		for s := range shard.ID(shard.Count) {
			shards = append(shards, s)
		}
	}
	for _, s := range shards {
		h.held[s] = shard.Tenure{Term: 1, Sure: true}
	}
	return h
}

// None makes a Holder without shards.
func None() *Holder { return &Holder{} }

// Set changes the tenure of a shard.
func (h *Holder) Set(s shard.ID, t shard.Tenure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[s] = t
}

// Doubt makes the ownership of a shard uncertain, or certain again.
func (h *Holder) Doubt(s shard.ID, unsure bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[s].Sure = !unsure
}

// Speak sets the voice of all shards that are held.
func (h *Holder) Speak(v shard.Voice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.held {
		if h.held[s].Term != 0 {
			h.held[s].Voice = v
		}
	}
}

// Lose takes a shard away.
func (h *Holder) Lose(s shard.ID) { h.Set(s, shard.Tenure{}) }

// Fence implements shard.Holder.
func (h *Holder) Fence(s shard.ID) (shard.Fence, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.held[s]
	if t.Term == 0 {
		return shard.Fence{}, false
	}
	return shard.Fence{Shard: s, Node: Node, Term: t.Term}, t.Sure
}

// Held implements shard.Holder.
func (h *Holder) Held() shard.Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// Say sets the directory.
func (h *Holder) Say(d shard.Directory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.directory = d
}

// OnRefresh makes Refresh change the directory by a function.
func (h *Holder) OnRefresh(reads func(shard.Directory) shard.Directory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads = reads
}

// Directory implements shard.Holder.
func (h *Holder) Directory() shard.Directory {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.directory
}

// Refresh implements shard.Holder: it applies the function of OnRefresh at once.
func (h *Holder) Refresh() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refreshes++
	if h.reads != nil {
		h.directory = h.reads(h.directory)
	}
	done := make(chan struct{})
	close(done)
	return done
}

// Refreshes counts the calls of Refresh.
func (h *Holder) Refreshes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refreshes
}
