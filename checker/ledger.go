package checker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// ref names a batch.
type ref struct{ batch, checkout uint64 }

func refOf(r *coordinatorv1.BatchRef) ref { return ref{r.GetBatchId(), r.GetCheckoutId()} }

func (r ref) proto() *coordinatorv1.BatchRef {
	return &coordinatorv1.BatchRef{BatchId: r.batch, CheckoutId: r.checkout}
}

// job is one check that a worker runs.
type job struct {
	batch      *batch
	assignment *coordinatorv1.Assignment
}

// finished is a result that is not acknowledged yet.
type finished struct {
	result *coordinatorv1.Result
	ended  time.Time
}

// batch is what a coordinator checked out to us at once. A check of it is in exactly
// one of these states: pending, running, ready, sent.
type batch struct {
	ref
	account *account
	lease   time.Time // not begun after this: it is in other hands
	pending []*coordinatorv1.Assignment
	running int
	ready   []finished   // to be sent
	sent    [][]finished // by message, in order, as they will be acknowledged
	// returning counts the checks that go back undone and of which nothing was said yet.
	returning int

	release  bool // to be given back once nothing of it runs or is ready
	released bool // was given back, which the coordinator may not have heard
	revoked  bool // taken back: what still runs may count, and is waited for by nobody
	unwanted bool // in other hands: what still runs of it is thrown away
	listed   bool // in account.fresh
}

// ledger knows every check that this process holds, for all coordinators. It keeps no
// goroutine, sends nothing and reads no clock; its lock is held for moves between
// lists only. Each method is one move; outgoing.go has those towards the coordinator.
type ledger struct {
	limit int // probes at once, and what the shares add up to

	mu        sync.Mutex
	accounts  []*account
	connected int
	workers   int
	turn      int // whose pending check is next
}

// account is what one coordinator has out with us.
type account struct {
	ledger *ledger
	// wake tells the sender to look at due again; it holds one signal.
	wake chan struct{}

	// The rest is guarded by ledger.mu.
	connected bool
	leaving   bool // nothing more is begun
	forced    bool // what runs is given back too
	batches   map[ref]*batch
	queue     []*batch // those with pending checks, oldest first
	fresh     []*batch // those with something to send
	since     time.Time
	urgent    bool

	// Number of checks by state; credit is what the coordinator may still assign.
	// Those that go back undone are returning until that is said: only then the
	// coordinator may give others for them.
	credit, pending, running, ready, sent, returning int
}

func newLedger(limit int) *ledger { return &ledger{limit: limit} }

// isConnected reports whether any coordinator is connected.
func (l *ledger) isConnected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected > 0
}

// account opens the books for one more coordinator.
func (l *ledger) account() *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &account{ledger: l, wake: make(chan struct{}, 1), batches: make(map[ref]*batch)}
	l.accounts = append(l.accounts, a)
	return a
}

// close ends the books of a coordinator that is not served any more. Of what it has
// out nothing is begun, and what still runs is thrown away.
func (a *account) close() {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	for _, b := range a.batches {
		a.drop(b)
	}
	a.ledger.accounts = slices.DeleteFunc(a.ledger.accounts, func(other *account) bool { return other == a })
}

// errFlood ends a session whose coordinator assigns on and on without credit.
var errFlood = errors.New("the coordinator assigns far more than it was granted")

// assign takes a batch in. One that is over the credit, or that comes when we are
// leaving, goes back at once.
func (a *account) assign(m *coordinatorv1.Assignments, lease time.Duration, now time.Time) error {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	r, n := refOf(m.GetBatch()), len(m.GetAssignments())
	if a.batches[r] != nil || n == 0 {
		return nil // said twice: it is being worked on
	}
	b := &batch{ref: r, account: a, lease: now.Add(lease)}
	if n > a.credit || a.leaving {
		if len(a.fresh) > 2*a.ledger.limit {
			return errFlood
		}
		b.release = true
		a.batches[r] = b
		a.list(b, now, true)
		return nil
	}
	a.batches[r] = b
	a.credit -= n
	a.pending += n
	b.pending = m.GetAssignments()
	a.queue = append(a.queue, b)
	return nil
}

// hire says how many workers to start for the checks that wait.
func (l *ledger) hire() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := 0
	for _, a := range l.accounts {
		waiting += a.pending
	}
	n := min(l.limit-l.workers, waiting)
	l.workers += n
	return n
}

// next gives a worker its next check, from the coordinators in turn. Without one the
// worker is dismissed.
func (l *ledger) next(now time.Time) (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range l.accounts {
		l.turn = (l.turn + 1) % len(l.accounts)
		if j, ok := l.accounts[l.turn].take(now); ok {
			return j, true
		}
	}
	l.workers--
	return job{}, false
}

func (a *account) take(now time.Time) (job, bool) {
	for len(a.queue) > 0 {
		b := a.queue[0]
		if now.After(b.lease) {
			a.takeBack(b, now)
			continue
		}
		j := job{batch: b, assignment: b.pending[0]}
		b.pending[0] = nil
		b.pending = b.pending[1:]
		b.running++
		a.pending--
		a.running++
		if len(b.pending) == 0 {
			a.dequeue(b)
		}
		return j, true
	}
	return job{}, false
}

// finish takes a result in. An urgent one is sent without waiting for others.
func (l *ledger) finish(j job, r *coordinatorv1.Result, urgent bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, a := j.batch, j.batch.account
	b.running--
	a.running--
	if !b.unwanted {
		b.ready = append(b.ready, finished{result: r, ended: now})
		a.ready++
		a.list(b, now, urgent || a.ready >= a.flushAt())
	}
	a.settle(b)
	a.wakeIf(b.unwanted || a.leaving)
}

// giveUp takes a check back that was cut by ourselves.
func (l *ledger) giveUp(j job, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, a := j.batch, j.batch.account
	b.running--
	a.running--
	if !b.unwanted {
		a.returns(b, 1)
		b.release = true
		a.list(b, now, true)
	}
	a.settle(b)
	a.wakeIf(true)
}

// returnPending takes out what of b has not begun, to be given back.
func (a *account) returnPending(b *batch, now time.Time) {
	if len(b.pending) == 0 {
		return
	}
	a.pending -= len(b.pending)
	a.returns(b, len(b.pending))
	b.pending = nil
	a.dequeue(b)
	b.release = true
	a.list(b, now, true)
}

// takeBack is returnPending for a batch that its coordinator has, or will have, in
// other hands: its room is free at once, though some of it may run on.
func (a *account) takeBack(b *batch, now time.Time) {
	b.revoked = true
	a.returnPending(b, now)
}

// abandon leaves b to others: nothing of it is begun, and what still runs is thrown
// away when it ends. What is finished is still sent.
func (a *account) abandon(b *batch) {
	if len(b.pending) > 0 {
		a.pending -= len(b.pending)
		b.pending = nil
		a.dequeue(b)
	}
	a.returns(b, -b.returning)
	b.release, b.unwanted = false, true
	a.settle(b)
}

// returns counts n checks of b that go back undone.
func (a *account) returns(b *batch, n int) {
	b.returning += n
	a.returning += n
}

// drop abandons b and throws away what is finished, too.
func (a *account) drop(b *batch) {
	a.ready -= len(b.ready)
	for _, m := range b.sent {
		a.sent -= len(m)
	}
	b.ready, b.sent = nil, nil
	a.abandon(b)
}

// settle forgets b when nothing is left of it.
func (a *account) settle(b *batch) {
	if len(b.pending) == 0 && b.running == 0 && len(b.ready) == 0 && len(b.sent) == 0 && !b.release {
		delete(a.batches, b.ref)
	}
}

// worked says that b is ours and has something left to do: to run, or to be sent.
func (b *batch) worked() bool {
	return !b.unwanted && !b.revoked && (len(b.pending) > 0 || b.running > 0 || len(b.ready) > 0)
}

// dequeue keeps the order of the others. b is nearly always the first.
func (a *account) dequeue(b *batch) {
	for i, q := range a.queue {
		if q == b {
			if i == 0 {
				a.queue[0] = nil
				a.queue = a.queue[1:]
			} else {
				a.queue = append(a.queue[:i], a.queue[i+1:]...)
			}
			return
		}
	}
}

// list notes that b has something to send, and wakes the sender when that is new or
// cannot wait.
func (a *account) list(b *batch, now time.Time, urgent bool) {
	if !b.listed {
		b.listed = true
		a.fresh = append(a.fresh, b)
	}
	first := a.since.IsZero()
	if first {
		a.since = now
	}
	wake := first || urgent && !a.urgent
	a.urgent = a.urgent || urgent
	a.wakeIf(wake)
}

func (a *account) wakeIf(wake bool) {
	if !wake {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// share is how many checks a may have out with us.
func (a *account) share() int { return max(1, a.ledger.limit/max(1, a.ledger.connected)) }

// out is how many a has.
func (a *account) out() int { return a.credit + a.pending + a.running + a.ready + a.returning }

// flushAt is how many results are worth a message: waiting for more would leave the
// coordinator without credit.
func (a *account) flushAt() int { return max(1, a.share()/8) }
