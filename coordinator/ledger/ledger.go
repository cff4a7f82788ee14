package ledger

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Options for New.
type Options struct {
	Store interface {
		store.History
		Site(context.Context, check.SiteID) (store.Site, error)
	}
	// Fence proves that the shard is ours; false while it is not.
	Fence func(store.ShardID) (store.Fence, bool)
	// Workers write at once. 0 means 4.
	Workers int
	// Flush is how long Run goes on writing when ctx has ended. 0 means 3 s.
	Flush time.Duration
	Log   *slog.Logger
	// Committed and Refused take the answers; exactly one is called for each
	// recorded change, unless the process ends before. Refused has nil for a site that is gone.
	Committed func(store.Change, store.Committed)
	Refused   func(store.Change, *store.Site)
}

// maxEvidence bounds the ballots that wait to be kept; beyond it new ones are dropped and counted.
const maxEvidence = 10_000

// Waits between the tries of one change while the store is away.
const (
	minWait = 100 * time.Millisecond
	maxWait = 5 * time.Second
	// writeTimeout bounds one try.
	writeTimeout = 10 * time.Second
)

// Ledger is the queue of what is to be written. New makes one.
type Ledger struct {
	o Options

	mu      sync.Mutex
	changes []entry // at most one a site, hence bounded by the sites
	// lost counts how often a shard was lost; what was decided before is void.
	lost     [store.Shards]uint64
	evidence []store.Ballot
	open     int // changes taken and not answered
	dropped  uint64
	failing  time.Time // since when the store refuses; zero while it does not
	lastErr  string
	wake     chan struct{}
}

// entry is a change, and how often its shard had been lost when it was decided.
type entry struct {
	store.Change
	lost uint64
}

// New makes a ledger. Nothing is written before Run.
func New(o Options) *Ledger {
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Flush == 0 {
		o.Flush = 3 * time.Second
	}
	return &Ledger{o: o, wake: make(chan struct{}, o.Workers)}
}

// Record queues a change. It will be committed, or refused, however long that takes.
func (l *Ledger) Record(c store.Change) {
	l.mu.Lock()
	l.changes = append(l.changes, entry{c, l.lost[store.ShardOf(c.Bucket)]})
	l.mu.Unlock()
	l.nudge()
}

// Forget drops the changes of a shard that is ours no more: its next owner finds
// out for itself. They are not answered.
func (l *Ledger) Forget(s store.ShardID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[s]++
}

func (l *Ledger) void(e entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost[store.ShardOf(e.Bucket)] != e.lost
}

// Keep queues the evidence of a ballot.
func (l *Ledger) Keep(b store.Ballot) {
	l.mu.Lock()
	if len(l.evidence) < maxEvidence {
		l.evidence = append(l.evidence, b)
	} else {
		l.dropped++
	}
	l.mu.Unlock()
	l.nudge()
}

// Status describes the queue.
type Status struct {
	// Uncommitted counts the changes that are not in the store yet.
	Uncommitted int
	// DroppedEvidence counts ballots whose evidence was not kept.
	DroppedEvidence uint64
	// FailingSince is when the store began to refuse, zero while it does not; Err says how.
	FailingSince time.Time
	Err          string
}

// Status reads the state of the queue.
func (l *Ledger) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{Uncommitted: len(l.changes) + l.open, DroppedEvidence: l.dropped, FailingSince: l.failing, Err: l.lastErr}
}

func (l *Ledger) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and a little longer if something is still queued.
func (l *Ledger) Run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(l.o.Flush, stop) })()
	var wg sync.WaitGroup
	for range l.o.Workers {
		wg.Go(func() { l.work(ctx, writing) })
	}
	wg.Wait()
	if n := l.Status().Uncommitted; n > 0 {
		l.o.Log.Warn("status changes were not committed; they will be found again", "changes", n)
	}
	return nil
}

// work takes one entry after the other. When ctx has ended it goes on until the
// queue is empty or writing ends too.
func (l *Ledger) work(ctx, writing context.Context) {
	for writing.Err() == nil {
		if c, ok := l.takeChange(); ok {
			l.commit(writing, c)
			continue
		}
		if b, ok := l.takeEvidence(); ok {
			l.keep(writing, b)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

func (l *Ledger) takeChange() (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.changes) == 0 {
		return entry{}, false
	}
	c := l.changes[0]
	l.changes = l.changes[1:]
	l.open++
	return c, true
}

func (l *Ledger) takeEvidence() (store.Ballot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.evidence) == 0 {
		return store.Ballot{}, false
	}
	b := l.evidence[0]
	l.evidence = l.evidence[1:]
	return b, true
}

// commit writes a change until the store has it, or says that it does not fit.
func (l *Ledger) commit(ctx context.Context, e entry) {
	defer l.done()
	for wait := minWait; !l.void(e); wait = min(2*wait, maxWait) {
		done, err := l.tryCommit(ctx, e.Change)
		switch {
		case err == nil:
			l.worked()
			l.o.Committed(e.Change, done)
			return
		case fault.Is(err, fault.Conflict), fault.Is(err, fault.NotFound):
			if row, ok := l.reread(ctx, e.SiteID); ok {
				l.worked()
				l.o.Log.Warn("change refused, the site has changed meanwhile", "site", e.SiteID, "err", err)
				l.o.Refused(e.Change, row)
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		l.failed(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

func (l *Ledger) tryCommit(ctx context.Context, c store.Change) (store.Committed, error) {
	fence, ok := l.o.Fence(store.ShardOf(c.Bucket))
	if !ok {
		return store.Committed{}, fault.New(fault.Fenced, "shard %d is not ours at this moment", store.ShardOf(c.Bucket))
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return l.o.Store.Commit(ctx, fence, c)
}

// reread reads the row of a site, nil when it is not ours any more; ok is false when
// the store does not answer.
func (l *Ledger) reread(ctx context.Context, id check.SiteID) (row *store.Site, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	s, err := l.o.Store.Site(ctx, id)
	switch {
	case err == nil:
		if _, ours := l.o.Fence(store.ShardOf(s.Bucket)); !ours {
			return nil, true // it was moved to another owner's bucket
		}
		return &s, true
	case fault.Is(err, fault.NotFound):
		return nil, true
	default:
		return nil, false
	}
}

// keep writes evidence once; losing it is no harm to the verdicts.
func (l *Ledger) keep(ctx context.Context, b store.Ballot) {
	fence, ok := l.o.Fence(store.ShardOf(b.Bucket))
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.o.Store.KeepBallot(ctx, fence, b); err != nil {
		l.mu.Lock()
		l.dropped++
		l.mu.Unlock()
		l.o.Log.Warn("evidence of a ballot was not kept", "site", b.SiteID, "err", err)
	}
}

func (l *Ledger) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

func (l *Ledger) worked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.failing.IsZero() {
		l.o.Log.Info("the store takes status changes again", "after", time.Since(l.failing).Round(time.Millisecond))
	}
	l.failing, l.lastErr = time.Time{}, ""
}

func (l *Ledger) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing.IsZero() {
		l.failing = time.Now()
		l.o.Log.Error("the store does not take status changes", "err", err)
	}
	l.lastErr = err.Error()
}
