package loader

import (
	"sync"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// shards are those that are ours, and whether their sites are on the schedule.
type shards struct {
	// more says that a shard was gained.
	more chan struct{}

	mu      sync.Mutex
	tenures uint64
	waiting map[shard.ID]tenure
	// loaded are the numbers of the tenures whose sites are on the schedule.
	loaded map[shard.ID]uint64
}

// tenure is one time that a shard is ours: it can be lost, and gained again, while it is
// read. They are numbered.
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
	default: // it is said already
	}
}

func (h *shards) lose(s shard.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, s)
	delete(h.loaded, s)
}

// whatIsLoaded calls f with the tenures whose sites are on the schedule. None ends while f
// runs: what f begins is void if it ends later.
func (h *shards) whatIsLoaded(f func([]tenure)) {
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

// still calls f with the shards of those tenures that have not ended. None ends while f
// runs: what f begins is void if it ends later.
func (h *shards) still(tenures []tenure, f func([]shard.ID)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ours := h.left(tenures); len(ours) > 0 {
		f(ours)
	}
}

// done notes that the sites of those that have not ended are on the schedule, and calls f
// as still does.
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

func (h *shards) left(tenures []tenure) (ours []shard.ID) {
	for _, t := range tenures {
		if h.waiting[t.shard] == t {
			ours = append(ours, t.shard)
		}
	}
	return ours
}
