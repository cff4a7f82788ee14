package committer

import (
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// Store has the methods of store.Store that a Committer needs.
type Store interface {
	CommitAll(ctx context.Context, f shard.Fence, cs []record.Change) ([]store.CommitResult, error)
	KeepBallot(ctx context.Context, f shard.Fence, b record.Ballot) error
	Site(ctx context.Context, id check.SiteID) (record.Site, error)
}

// Options for New.
type Options struct {
	Store Store
	// Shards reports the term in which a shard is ours, and whether that is certain. While
	// it is uncertain, changes wait until it is certain again or Forget drops them.
	Shards shard.Holder
	// Workers is the number of groups that are written at once. 0 means 4.
	Workers int
	// MaxQueued is the number of waiting changes beyond which the committer is Full. 0 means
	// 20,000.
	MaxQueued int
	// Flush bounds how long Run continues to write after ctx has ended. 0 means 3 s.
	Flush time.Duration
	Log   *slog.Logger
}

// Answers takes the results of changes: exactly one for each that was recorded, unless its
// shard is forgotten or the process ends first. The committer's goroutines call its methods
// concurrently.
type Answers interface {
	Committed(record.Change, record.Committed)
	// Refused has the row as it is now, nil when the site is gone.
	Refused(record.Change, *record.Site)
}

const (
	// maxGroup bounds the changes of one transaction.
	maxGroup = 100
	// maxEvidence bounds the ballots that wait to be kept; further ones are dropped and counted.
	maxEvidence = 10_000
	// awaitEvery is the polling interval of Await.
	awaitEvery = 20 * time.Millisecond
	// maxTries bounds the attempts to keep a ballot, which take about half a minute.
	maxTries = 10
	// writeTimeout bounds one attempt.
	writeTimeout = 10 * time.Second
)

// Committer queues decisions and writes them. New makes one.
type Committer struct {
	o  Options
	to Answers // Run's

	mu            sync.Mutex
	queues        [shard.Count]shardQueue
	ballots       ring[*evidence]
	ballotBackOff backOff
	recorded      uint64 // numbers the changes, so that the oldest goes first
	// open holds an *entry for each change that waits or is under way, the oldest first.
	open    list.List
	fenced  uint64
	dropped uint64
	failing time.Time // when the store began to fail; zero while it works
	lastErr string
	wake    chan struct{}
}

// shardQueue holds the changes of one shard.
type shardQueue struct {
	waiting ring[*entry]
	// busy means that a worker has a group of this shard.
	busy bool
	// lost counts how often the shard was lost: groups taken before that are discarded.
	lost uint64
	// most bounds the size of the next group.
	most    int
	backOff backOff
}

// entry is a change that waits.
type entry struct {
	record.Change
	tenure shard.Fence // in which it was decided
	number uint64
	since  time.Time
	place  *list.Element // in open
}

// evidence is a ballot to keep, with the number of attempts so far.
type evidence struct {
	record.Ballot
	tries int
}

// New makes a committer. It writes nothing before Run.
func New(o Options) *Committer {
	o = o.withDefaults()
	c := &Committer{o: o, wake: make(chan struct{}, o.Workers)}
	for i := range c.queues {
		c.queues[i].most = maxGroup
	}
	return c
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Workers = cmp.Or(o.Workers, 4)
	o.MaxQueued = cmp.Or(o.MaxQueued, 20_000)
	o.Flush = cmp.Or(o.Flush, 3*time.Second)
	return o
}

// Record queues a change. The store commits or refuses it, however long that takes, unless
// its shard is lost now or later.
func (c *Committer) Record(change record.Change) {
	s := shard.Of(change.Bucket)
	tenure, _ := c.o.Shards.Fence(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if tenure == (shard.Fence{}) {
		c.fenced++
		return
	}
	c.recorded++
	e := &entry{Change: change, tenure: tenure, number: c.recorded, since: time.Now()}
	e.place = c.open.PushBack(e)
	c.queues[s].waiting.pushBack(e)
	c.nudge()
}

// Await waits until all changes of a shard have results, or ctx ends.
func (c *Committer) Await(ctx context.Context, s shard.ID) {
	ticker := time.NewTicker(awaitEvery)
	defer ticker.Stop()
	for c.pending(s) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Committer) pending(s shard.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queues[s]
	return q.busy || q.waiting.len() > 0
}

// Forget drops the changes of a shard that is no longer ours: its next owner decides for
// itself. They get no result, except those that the store has just committed.
func (c *Committer) Forget(s shard.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queues[s]
	for range q.waiting.len() {
		c.discard(q.waiting.popFront())
	}
	q.lost++
	q.most, q.backOff = maxGroup, backOff{}
	c.clearIfEmpty()
}

// Keep queues the evidence of a ballot.
func (c *Committer) Keep(b record.Ballot) {
	c.mu.Lock()
	if c.ballots.len() < maxEvidence {
		c.ballots.pushBack(&evidence{Ballot: b})
	} else {
		c.dropped++
	}
	c.mu.Unlock()
	c.nudge()
}

// Full reports that more than MaxQueued changes wait: the store does not keep up. Record
// still takes changes; the engine should decide nothing new until Full ends.
func (c *Committer) Full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full()
}

func (c *Committer) full() bool { return c.open.Len() > c.o.MaxQueued }

// Status describes the queue.
type Status struct {
	// Uncommitted counts the changes that are not in the store yet.
	Uncommitted int
	// Full means that more than Options.MaxQueued changes wait.
	Full bool
	// Fenced counts the changes that were discarded because our ownership ended before they
	// were written. It leaves out those that wait while it is uncertain.
	Fenced uint64
	// DroppedEvidence counts ballots whose evidence was not kept.
	DroppedEvidence uint64
	// OldestSince is when the oldest uncommitted change was recorded, zero without one.
	OldestSince time.Time
	// FailingSince is when the store began to fail, zero while it works; Err is its last
	// error.
	FailingSince time.Time
	Err          string
}

// Status returns the state of the queue.
func (c *Committer) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := Status{
		Uncommitted: c.open.Len(), Full: c.full(), Fenced: c.fenced, DroppedEvidence: c.dropped,
		FailingSince: c.failing, Err: c.lastErr,
	}
	if oldest := c.open.Front(); oldest != nil {
		st.OldestSince = oldest.Value.(*entry).since
	}
	return st
}

// nudge wakes a worker that waits.
func (c *Committer) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
