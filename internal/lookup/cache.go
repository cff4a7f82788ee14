package lookup

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// cacheBytes limits the memory of the cache.
	cacheBytes = 16 << 20
	// entryBytes is what an entry takes beside its name and addresses: its share of the map.
	entryBytes = 128
	addrBytes  = 24
)

// cache holds answers for their time to live. It has two generations: when the younger one
// has used half of the memory, it becomes the older one, whose answers are dropped. So what
// has ended goes without being looked for.
type cache struct {
	// maxAge limits how long an answer is used.
	maxAge time.Duration
	// limit is the number of bytes that both generations may use together.
	limit int

	mu         sync.Mutex
	young, old generation
}

// generation is the answers of some time.
type generation struct {
	entries map[string]entry
	bytes   int
}

type entry struct {
	addrs   []netip.Addr
	expires time.Duration
}

// size is the memory that an entry takes.
func (e entry) size(host string) int { return entryBytes + len(host) + addrBytes*len(e.addrs) }

// recall returns the addresses of a host, or nil.
func (c *cache) recall(host string, now time.Duration) []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.young.entries[host]
	if !ok {
		e = c.old.entries[host]
	}
	if now >= e.expires {
		return nil
	}
	return e.addrs
}

// remember keeps an answer for its time to live.
func (c *cache) remember(host string, got answer, now time.Duration) {
	age := min(got.ttl, c.maxAge)
	e := entry{got.addrs, now + age}
	size := e.size(host)
	if age <= 0 || size > c.limit/2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.young.entries[host]; ok {
		size -= before.size(host)
	}
	if c.young.bytes+size > c.limit/2 {
		c.old, c.young, size = c.young, generation{}, e.size(host)
	}
	if c.young.entries == nil {
		c.young.entries = make(map[string]entry)
	}
	// A host is often a part of a longer URL, which the cache must not keep.
	c.young.entries[strings.Clone(host)] = e
	c.young.bytes += size
}

// forget drops the answer about a host.
func (c *cache) forget(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range []*generation{&c.young, &c.old} {
		if e, ok := g.entries[host]; ok {
			delete(g.entries, host)
			g.bytes -= e.size(host)
		}
	}
}

// bytes returns how much memory the answers take.
func (c *cache) bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.young.bytes + c.old.bytes
}
