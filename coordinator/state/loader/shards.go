package loader

import (
	"sync"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// shards holds our shards, and whether their sites are on the schedule.
type shards struct {
	// more has an element after a shard was gained.
	more chan struct{}

	mu      sync.Mutex
	tenures uint64
	waiting map[shard.ID]tenure
	// loaded has the numbers of the tenures whose sites are on the schedule.
	loaded map[shard.ID]uint64
}

// tenure is one period in which a shard is ours. Tenures are numbered, because a shard can
// be lost and gained again while it is read.
type tenure struct {
	shard  shard.ID
	number uint64
}

func newShards() *shards {
	return &shards{more: make(chan struct{}, 1), waiting: map[shard.ID]tenure{}, loaded: map[shard.ID]uint64{}}
}

func (h *shards) gain(s shard.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tenures++
	h.waiting[s] = tenure{s, h.tenures}
	select {
	case h.more <- struct{}{}:
	default: // signalled already
	}
}

func (h *shards) lose(s shard.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, s)
	delete(h.loaded, s)
}

// withLoaded calls f with the tenures whose sites are on the schedule. No tenure ends while
// f runs; work that f starts is discarded if its tenure ends later.
func (h *shards) withLoaded(f func([]tenure)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []tenure
	for s := range shard.ID(shard.Count) {
		if n, ok := h.loaded[s]; ok {
			all = append(all, tenure{s, n})
		}
	}
	f(all)
}

// toLoad lists the tenures whose sites are not on the schedule, by shard.
func (h *shards) toLoad() (out []tenure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range shard.ID(shard.Count) {
		if t, ok := h.waiting[s]; ok {
			out = append(out, t)
		}
	}
	return out
}

// still calls f with the shards of those tenures that have not ended. No tenure ends while
// f runs; work that f starts is discarded if its tenure ends later.
func (h *shards) still(tenures []tenure, f func([]shard.ID)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ours := h.left(tenures); len(ours) > 0 {
		f(ours)
	}
}

// done records that the sites of those tenures that have not ended are on the schedule, and
// calls f as still does.
func (h *shards) done(tenures []tenure, f func([]shard.ID)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ours := h.left(tenures)
	for _, s := range ours {
		h.loaded[s] = h.waiting[s].number
		delete(h.waiting, s)
	}
	f(ours)
}

// left returns the shards of those tenures that have not ended. The caller holds mu.
func (h *shards) left(tenures []tenure) (ours []shard.ID) {
	for _, t := range tenures {
		if h.waiting[t.shard] == t {
			ours = append(ours, t.shard)
		}
	}
	return ours
}
