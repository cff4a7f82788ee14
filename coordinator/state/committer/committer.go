package committer

import (
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Store is what a committer needs of the store.
type Store interface {
	CommitAll(ctx context.Context, f shard.Fence, cs []store.Change) ([]store.CommitResult, error)
	KeepBallot(ctx context.Context, f shard.Fence, b store.Ballot) error
	Site(ctx context.Context, id check.SiteID) (store.Site, error)
}

// Options for New.
type Options struct {
	Store Store
	// Shards says in which tenure a shard is ours, and whether that is certain. While it is
	// not, changes wait, until it is again, or Forget says that it never will be.
	Shards shard.Holder
	// Workers write at once. 0 means 4.
	Workers int
	// MaxQueued is how many changes may wait before the committer is Full. 0 means 20,000.
	MaxQueued int
	// Flush is how long Run goes on writing when ctx has ended. 0 means 3 s.
	Flush time.Duration
	Log   *slog.Logger
}

// Answers takes what became of changes: exactly one answer for each that was recorded,
// unless its shard is forgotten or the process ends before. Its methods are called from
// goroutines of the committer, several at once.
type Answers interface {
	Committed(store.Change, store.Committed)
	// Refused has the row as it is, nil when the site is gone.
	Refused(store.Change, *store.Site)
}

const (
	// maxGroup bounds the changes of one transaction.
	maxGroup = 100
	// maxEvidence bounds the ballots that wait to be kept; beyond it new ones are dropped and counted.
	maxEvidence = 10_000
	// awaitEvery is how often Await looks.
	awaitEvery = 20 * time.Millisecond
	// maxTries is how often a ballot is tried, which takes about half a minute.
	maxTries = 10
)

// Waits between the tries of one shard's changes, or of evidence, while the store is away.
const (
	minWait = 100 * time.Millisecond
	maxWait = 5 * time.Second
	// writeTimeout bounds one try.
	writeTimeout = 10 * time.Second
)

// Committer is the queue of what is to be written. New makes one.
type Committer struct {
	o  Options
	to Answers // Run's

	mu       sync.Mutex
	desks    [shard.Count]desk
	evidence ring[*testimony]
	// keeping is the pace of evidence.
	keeping  pace
	recorded uint64    // numbers the changes, so that the oldest goes first
	open     list.List // of *entry, those that wait or are under way: at most one a site, the oldest first
	fenced   uint64
	dropped  uint64
	failing  time.Time // since when the store refuses; zero while it does not
	lastErr  string
	wake     chan struct{}
}

// desk holds the changes of one shard.
type desk struct {
	waiting ring[*entry]
	// busy says that a worker has a group of it.
	busy bool
	// lost counts how often the shard was lost: a group that was taken before is void.
	lost uint64
	// most is the size of the next group.
	most int
	pace pace
}

// entry is a change that waits.
type entry struct {
	store.Change
	tenure shard.Fence // in which it was decided
	number uint64
	since  time.Time
	place  *list.Element // in open
}

// testimony is the evidence of a ballot, and how often it was tried to keep it.
type testimony struct {
	store.Ballot
	tries int
}

// New makes a committer. Nothing is written before Run.
func New(o Options) *Committer {
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.MaxQueued == 0 {
		o.MaxQueued = 20_000
	}
	if o.Flush == 0 {
		o.Flush = 3 * time.Second
	}
	l := &Committer{o: o, wake: make(chan struct{}, o.Workers)}
	for i := range l.desks {
		l.desks[i].most = maxGroup
	}
	return l
}

// Record queues a change. It will be committed, or refused, however long that takes,
// unless its shard is lost, or is lost already.
func (l *Committer) Record(c store.Change) {
	s := shard.Of(c.Bucket)
	tenure, _ := l.o.Shards.Fence(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	if tenure == (shard.Fence{}) {
		l.fenced++
		return
	}
	l.recorded++
	e := &entry{Change: c, tenure: tenure, number: l.recorded, since: time.Now()}
	e.place = l.open.PushBack(e)
	l.desks[s].waiting.pushBack(e)
	l.nudge()
}

// Await waits until all changes of a shard are answered, or ctx ends.
func (l *Committer) Await(ctx context.Context, s shard.ID) {
	ticker := time.NewTicker(awaitEvery)
	defer ticker.Stop()
	for l.pending(s) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *Committer) pending(s shard.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desks[s]
	return d.busy || d.waiting.len() > 0
}

// Forget drops the changes of a shard that is ours no more: its next owner finds
// out for itself. They are not answered, but for those that the store just took.
func (l *Committer) Forget(s shard.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desks[s]
	for range d.waiting.len() {
		l.void(d.waiting.popFront())
	}
	d.lost++
	d.most, d.pace = maxGroup, pace{}
	l.calm()
}

// Keep queues the evidence of a ballot.
func (l *Committer) Keep(b store.Ballot) {
	l.mu.Lock()
	if l.evidence.len() < maxEvidence {
		l.evidence.pushBack(&testimony{Ballot: b})
	} else {
		l.dropped++
	}
	l.mu.Unlock()
	l.nudge()
}

// Full says that more changes wait than should: the store does not keep up. Record
// takes them nevertheless; the engine should decide nothing new meanwhile.
func (l *Committer) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full()
}

func (l *Committer) full() bool { return l.open.Len() > l.o.MaxQueued }

// Status describes the queue.
type Status struct {
	// Uncommitted counts the changes that are not in the store yet.
	Uncommitted int
	// Full says that they are too many.
	Full bool
	// Fenced counts the changes that are void because our ownership ended before they
	// were written. Those that wait while it is unsure are not among them.
	Fenced uint64
	// DroppedEvidence counts ballots whose evidence was not kept.
	DroppedEvidence uint64
	// OldestSince is since when the oldest of them waits, zero when there is none.
	OldestSince time.Time
	// FailingSince is when the store began to refuse, zero while it does not; Err says how.
	FailingSince time.Time
	Err          string
}

// Status reads the state of the queue.
func (l *Committer) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := Status{
		Uncommitted: l.open.Len(), Full: l.full(), Fenced: l.fenced, DroppedEvidence: l.dropped,
		FailingSince: l.failing, Err: l.lastErr,
	}
	if oldest := l.open.Front(); oldest != nil {
		st.OldestSince = oldest.Value.(*entry).since
	}
	return st
}

func (l *Committer) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
