package checker

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// ref identifies a batch.
type ref struct{ batch, checkout uint64 }

func refOf(r *coordinatorv1.BatchRef) ref { return ref{r.GetBatchId(), r.GetCheckoutId()} }

func (r ref) proto() *coordinatorv1.BatchRef {
	return &coordinatorv1.BatchRef{BatchId: r.batch, CheckoutId: r.checkout}
}

// job is a check for a worker.
type job struct {
	batch      *batch
	assignment *coordinatorv1.Assignment
}

// finished is a result without an acknowledgement.
type finished struct {
	result *coordinatorv1.Result
	ended  time.Time
}

// batch is a batch that a coordinator has checked out to us. Each of its checks is pending,
// running, ready or sent, until it is acknowledged or released.
type batch struct {
	ref
	quota   *quota
	lease   time.Time // no check starts after this: other checkers may have the batch
	pending []*coordinatorv1.Assignment
	running int
	ready   []finished   // to be sent
	sent    [][]finished // one element per message, in the order of the acknowledgements
	// returning counts the checks to be released undone, until the release is sent.
	returning int

	release  bool // to be released once no check runs or is ready
	released bool // was released; the coordinator may not have received that
	revoked  bool // revoked or expired: running checks may count, but nothing waits for them
	unwanted bool // lost to other checkers: results of running checks are dropped
	listed   bool // in quota.fresh
}

// inFlight limits and tracks all checks in this process, for all coordinators. It has no
// goroutine, sends nothing and reads no clock. It holds its lock only to move checks
// between states. Each method is one move; outgoing.go has those towards the coordinator.
type inFlight struct {
	limit int // concurrent probes, and the sum of the shares

	mu        sync.Mutex
	quotas    []*quota
	connected int
	workers   int
	turn      int // index of the quota whose pending check is next
}

// quota limits and tracks the checks of one coordinator.
type quota struct {
	all *inFlight
	// wake makes the sender call due again; it holds one signal.
	wake chan struct{}
	// traceOneIn is Welcome.trace_one_in of the newest session.
	traceOneIn atomic.Uint32

	// inFlight.mu guards the fields below.
	connected bool
	leaving   bool // no further check starts
	forced    bool // running checks are released, too
	batches   map[ref]*batch
	queue     []*batch // batches with pending checks, oldest first
	fresh     []*batch // batches with something to send
	since     time.Time
	urgent    bool

	// These are numbers of checks by state; credit is how many the coordinator may still
	// assign. A check to be released undone is returning until the release is sent, because
	// only then the coordinator may assign another in its place.
	credit, pending, running, ready, sent, returning int
}

func newInFlight(limit int) *inFlight { return &inFlight{limit: limit} }

// isConnected reports whether any coordinator is connected.
func (f *inFlight) isConnected() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected > 0
}

// newQuota makes the quota of one more coordinator.
func (f *inFlight) newQuota() *quota {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := &quota{all: f, wake: make(chan struct{}, 1), batches: make(map[ref]*batch)}
	f.quotas = append(f.quotas, q)
	return q
}

// close ends the quota of a coordinator that is no longer served. Its pending checks do not
// start, and results of its running checks are dropped.
func (q *quota) close() {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	for _, b := range q.batches {
		q.drop(b)
	}
	q.all.quotas = slices.DeleteFunc(q.all.quotas, func(other *quota) bool { return other == q })
}

// errFlood ends a session whose coordinator keeps assigning without credit.
var errFlood = errors.New("the coordinator assigns far more than it was granted")

// assign accepts a batch. It releases a batch at once that exceeds the credit or arrives
// during a departure.
func (q *quota) assign(m *coordinatorv1.Assignments, lease time.Duration, now time.Time) error {
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	r, n := refOf(m.GetBatch()), len(m.GetAssignments())
	if q.batches[r] != nil || n == 0 {
		return nil // a repetition: the batch is in progress
	}
	b := &batch{ref: r, quota: q, lease: now.Add(lease)}
	if n > q.credit || q.leaving {
		if len(q.fresh) > 2*q.all.limit {
			return errFlood
		}
		b.release = true
		q.batches[r] = b
		q.list(b, now, true)
		return nil
	}
	q.batches[r] = b
	q.credit -= n
	q.pending += n
	b.pending = m.GetAssignments()
	q.queue = append(q.queue, b)
	return nil
}

// hire returns how many workers to start for the waiting checks.
func (f *inFlight) hire() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := 0
	for _, q := range f.quotas {
		waiting += q.pending
	}
	n := min(f.limit-f.workers, waiting)
	f.workers += n
	return n
}

// next returns a worker's next check, from the coordinators in turn. When there is none, the
// worker must end.
func (f *inFlight) next(now time.Time) (job, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.quotas {
		f.turn = (f.turn + 1) % len(f.quotas)
		if j, ok := f.quotas[f.turn].take(now); ok {
			return j, true
		}
	}
	f.workers--
	return job{}, false
}

func (q *quota) take(now time.Time) (job, bool) {
	for len(q.queue) > 0 {
		b := q.queue[0]
		if now.After(b.lease) {
			q.takeBack(b, now)
			continue
		}
		j := job{batch: b, assignment: b.pending[0]}
		b.pending[0] = nil
		b.pending = b.pending[1:]
		b.running++
		q.pending--
		q.running++
		if len(b.pending) == 0 {
			q.dequeue(b)
		}
		return j, true
	}
	return job{}, false
}

// finish records a result. An urgent one is sent without waiting for others.
func (f *inFlight) finish(j job, r *coordinatorv1.Result, urgent bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, q := j.batch, j.batch.quota
	b.running--
	q.running--
	if !b.unwanted {
		b.ready = append(b.ready, finished{result: r, ended: now})
		q.ready++
		q.list(b, now, urgent || q.ready >= q.flushAt())
	}
	q.settle(b)
	q.wakeIf(b.unwanted || q.leaving)
}

// giveUp records a running check that we cut ourselves, and releases it.
func (f *inFlight) giveUp(j job, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, q := j.batch, j.batch.quota
	b.running--
	q.running--
	if !b.unwanted {
		q.returns(b, 1)
		b.release = true
		q.list(b, now, true)
	}
	q.settle(b)
	q.wakeIf(true)
}

// returnPending releases the checks of b that have not started.
func (q *quota) returnPending(b *batch, now time.Time) {
	if len(b.pending) == 0 {
		return
	}
	q.pending -= len(b.pending)
	q.returns(b, len(b.pending))
	b.pending = nil
	q.dequeue(b)
	b.release = true
	q.list(b, now, true)
}

// takeBack is returnPending for a batch that its coordinator assigns to another checker. It
// frees the room at once, though some checks may still run.
func (q *quota) takeBack(b *batch, now time.Time) {
	b.revoked = true
	q.returnPending(b, now)
}

// abandon leaves b to other checkers: none of its checks starts, and results of running
// ones are dropped. Finished results are still sent.
func (q *quota) abandon(b *batch) {
	if len(b.pending) > 0 {
		q.pending -= len(b.pending)
		b.pending = nil
		q.dequeue(b)
	}
	q.returns(b, -b.returning)
	b.release, b.unwanted = false, true
	q.settle(b)
}

// returns counts n checks of b as returning; n may be negative.
func (q *quota) returns(b *batch, n int) {
	b.returning += n
	q.returning += n
}

// drop abandons b and its finished results, too.
func (q *quota) drop(b *batch) {
	q.ready -= len(b.ready)
	for _, m := range b.sent {
		q.sent -= len(m)
	}
	b.ready, b.sent = nil, nil
	q.abandon(b)
}

// settle forgets b when nothing of it is left.
func (q *quota) settle(b *batch) {
	if len(b.pending) == 0 && b.running == 0 && len(b.ready) == 0 && len(b.sent) == 0 && !b.release {
		delete(q.batches, b.ref)
	}
}

// worked reports whether b is in progress: it is ours and has checks to run or results to
// send.
func (b *batch) worked() bool {
	return !b.unwanted && !b.revoked && (len(b.pending) > 0 || b.running > 0 || len(b.ready) > 0)
}

// dequeue removes b from the queue and keeps the order of the others. b is nearly always
// the first.
func (q *quota) dequeue(b *batch) {
	for i, queued := range q.queue {
		if queued == b {
			if i == 0 {
				q.queue[0] = nil
				q.queue = q.queue[1:]
			} else {
				q.queue = append(q.queue[:i], q.queue[i+1:]...)
			}
			return
		}
	}
}

// list records that b has something to send, and wakes the sender when it is the first or
// urgent.
func (q *quota) list(b *batch, now time.Time, urgent bool) {
	if !b.listed {
		b.listed = true
		q.fresh = append(q.fresh, b)
	}
	first := q.since.IsZero()
	if first {
		q.since = now
	}
	wake := first || urgent && !q.urgent
	q.urgent = q.urgent || urgent
	q.wakeIf(wake)
}

func (q *quota) wakeIf(wake bool) {
	if !wake {
		return
	}
	select {
	case q.wake <- struct{}{}:
	default: // the sender has a signal already
	}
}

// share returns how many checks q may have in flight.
func (q *quota) share() int { return max(1, q.all.limit/max(1, q.all.connected)) }

// out returns how many checks q has in flight, including its credit.
func (q *quota) out() int { return q.credit + q.pending + q.running + q.ready + q.returning }

// flushAt returns how many results are worth a message: waiting for more would leave the
// coordinator without credit.
func (q *quota) flushAt() int { return max(1, q.share()/8) }
