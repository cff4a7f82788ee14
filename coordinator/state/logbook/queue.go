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
	// serial is the number of the next row.
	serial serial
	rows   []store.CheckRow
	bytes  int
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
	// last is the first moment, in milliseconds, at which no row has been made.
	last int64
}

// serial numbers rows of the journal: the milliseconds of Unix time at which a row was made, and
// the lowest termBits of the term of its shard. So no two owners give one number twice, whatever
// their clocks say.
type serial struct{ millis, term int64 }

const termBits = 16

func (n serial) number() int64 { return n.millis<<termBits | n.term&(1<<termBits-1) }

// madeAt returns when the row of a number was made.
func madeAt(number int64) time.Time { return time.UnixMilli(number >> termBits) }

// serial returns the number of the first row of n that are made now: later than those before,
// whatever the clock does.
func (q *queue) serial(now time.Time, f shard.Fence) serial {
	const mostRows = 1 << 10 // of a flush
	q.mu.Lock()
	defer q.mu.Unlock()
	n := max(now.UnixMilli(), q.last)
	q.last = n + mostRows
	return serial{n, int64(f.Term)}
}

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
