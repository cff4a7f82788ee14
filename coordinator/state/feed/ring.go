package feed

import "github.com/Automattic/jetmon/coordinator/rules/event"

// ring holds the newest batches.
type ring struct {
	batches []*Batch
	// first numbers batches[0]. Numbers rise, and are never used again.
	first uint64
	// end are the positions after the newest batch.
	end          event.Positions
	items, bytes int
}

// add adds a batch that begins at end, and forgets the oldest ones if need be.
func (r *ring) add(b *Batch) {
	r.batches, r.end = append(r.batches, b), b.after
	r.items, r.bytes = r.items+len(b.Items), r.bytes+b.bytes
	for len(r.batches) > 1 && (r.items > maxItems || r.bytes > maxBytes) {
		r.items, r.bytes = r.items-len(r.batches[0].Items), r.bytes-r.batches[0].bytes
		r.batches[0] = nil
		r.batches = r.batches[1:]
		r.first++
	}
}

func (r *ring) clear() {
	r.first += uint64(len(r.batches))
	r.batches, r.items, r.bytes = nil, 0, 0
}

// begin returns the positions before the oldest batch.
func (r *ring) begin() event.Positions {
	if len(r.batches) == 0 {
		return r.end
	}
	return r.batches[0].before
}

// cache holds the newest pages that watchers have read to catch up, by their first positions:
// those who were cut off together come back together, and from the same place.
type cache struct {
	pages map[event.Positions]*Batch
	order []event.Positions
}

// maxCached bounds the pages of a cache.
const maxCached = 32

func (c *cache) add(b *Batch) {
	if c.pages == nil {
		c.pages = make(map[event.Positions]*Batch, maxCached)
	}
	if _, ok := c.pages[b.before]; ok {
		return
	}
	if len(c.order) == maxCached {
		delete(c.pages, c.order[0])
		c.order = c.order[1:]
	}
	c.pages[b.before] = b
	c.order = append(c.order, b.before)
}
