package logbook

import (
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// group are rows of a shard that are written together.
type group struct {
	// fence is the one under which the notes were made.
	fence shard.Fence
	rows  []store.CheckRow
	bytes int
	// failing means that sites failed of which nobody has looked yet whether they are in
	// maintenance.
	failing bool
}

// queue has the groups that wait to be written, the oldest first. It is safe for concurrent use.
type queue struct {
	mu     sync.Mutex
	groups []*group
	// bytes are those of groups, and of those that are being written.
	bytes int
	// last is when the newest row was made, in milliseconds; no two have the same.
	last int64
}

// termBits is how many bits of a term are in a number.
const termBits = 16

// number returns the number of a row of the journal that is made now: the milliseconds of Unix
// time, and the lowest bits of the term of its shard. It is higher than those before, whatever the
// clock does, and no two owners give one number twice, whatever their clocks say.
func (q *queue) number(now time.Time, f shard.Fence) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = max(now.UnixMilli(), q.last+1)
	return q.last<<termBits | int64(f.Term&(1<<termBits-1))
}

// madeAt returns when the row of a number was made.
func madeAt(number int64) time.Time { return time.UnixMilli(number >> termBits) }

// add appends a group, and drops the oldest ones while there are too many bytes. It returns how
// many rows it has dropped.
func (q *queue) add(g *group) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.groups = append(q.groups, g)
	for q.bytes += g.bytes; q.bytes > maxWaiting && len(q.groups) > 1; q.groups = q.groups[1:] {
		dropped += len(q.groups[0].rows)
		q.bytes -= q.groups[0].bytes
	}
	return dropped
}

// take takes the oldest group; nil when none waits.
func (q *queue) take() *group {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.groups) == 0 {
		q.groups = nil
		return nil
	}
	g := q.groups[0]
	q.groups = q.groups[1:]
	q.bytes -= g.bytes
	return g
}

// giveBack has a group wait again, as the oldest one.
func (q *queue) giveBack(g *group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.groups = append([]*group{g}, q.groups...)
	q.bytes += g.bytes
}

// size returns how many rows and bytes wait.
func (q *queue) size() (rows, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range q.groups {
		rows += len(g.rows)
	}
	return rows, q.bytes
}
