package notify

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// maxFlushes bounds the transactions of results at once, maxTogether the results in one.
	maxFlushes  = 4
	maxTogether = 250
)

// recorder stores results, those of a shard together. What comes while a shard's results are
// being stored is stored next: so one result alone waits for nothing, and many share their
// transactions. Its methods are safe for concurrent use.
type recorder struct {
	r *run
	// turns bounds the transactions.
	turns chan struct{}
	// lost counts the results that were not stored before the end.
	lost atomic.Int64

	mu    sync.Mutex
	piles map[shard.ID]*pile
}

// pile has the results of a shard that are not stored. busy means that somebody stores them.
type pile struct {
	busy bool
	all  []unrecorded
}

type unrecorded struct {
	q *queue
	o outcome
}

// add takes a result, and sees to it that it is stored.
func (c *recorder) add(q *queue, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.piles[o.due.Shard]
	if p == nil {
		p = &pile{}
		c.piles[o.due.Shard] = p
	}
	p.all = append(p.all, unrecorded{q, o})
	if !p.busy {
		p.busy = true
		c.r.wg.Go(func() { c.flush(o.due.Shard) })
	}
}

// take returns what to store next of a shard; nothing ends the caller's work.
func (c *recorder) take(s shard.ID) []unrecorded {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.piles[s]
	n := min(len(p.all), maxTogether)
	some := p.all[:n:n]
	if p.all = p.all[n:]; n == 0 {
		p.busy, p.all = false, nil
	}
	return some
}

// flush stores the results of a shard until there is none.
func (c *recorder) flush(s shard.ID) {
	for some := c.take(s); len(some) > 0; some = c.take(s) {
		stored := c.store(s, some)
		by := map[*queue][]outcome{}
		for _, u := range some {
			u.o.lost = !stored
			by[u.q] = append(by[u.q], u.o)
		}
		for q, all := range by {
			q.tell(func(in *inbox) { in.recorded = append(in.recorded, all...) })
		}
	}
}

// store stores results, and tries it until that succeeds, the shard is lost, or the time is over.
func (c *recorder) store(s shard.ID, some []unrecorded) bool {
	c.turns <- struct{}{}
	defer func() { <-c.turns }()
	results := make([]delivery.Result, len(some))
	for i, u := range some {
		results[i] = u.o.result
	}
	for {
		fence, _ := c.r.d.o.Shards.Fence(s)
		if fence.Term == 0 {
			return false // the next owner tells it again
		}
		ctx, cancel := context.WithTimeout(c.r.records, storeTimeout)
		err := c.r.d.store.SettleDeliveries(ctx, fence, results)
		cancel()
		if fault.Is(err, fault.Fenced) {
			return false
		}
		if err == nil || c.r.records.Err() == nil {
			if !c.r.trouble.note(err) {
				return true
			}
		}
		if !pause.For(c.r.records, c.r.trouble.wait(0)) {
			c.lost.Add(int64(len(some)))
			return false
		}
	}
}
