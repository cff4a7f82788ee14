package committer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/pause"
)

// idle is how long a worker without work rests at most. A nudge ends its rest.
const idle = time.Hour

// waits are the waits between attempts at one shard's changes, or at evidence.
func waits() backoff.Policy {
	return backoff.Policy{Base: 100 * time.Millisecond, Most: 5 * time.Second}
}

// backOff delays the next attempt after failures. The zero value does not delay it.
type backOff struct {
	failures int
	after    time.Time
}

// failed records a failure. The wait is from the upper half of its range: a store that is
// away is not tried at once, and the shards do not all come back at the same time.
func (b *backOff) failed(now time.Time) {
	b.failures++
	b.after = now.Add(waits().Wait(b.failures, 0.5+rand.Float64()/2))
}

// Run writes, and hands the results to an Answers, until ctx ends and up to Options.Flush
// longer while something is still queued. It is called once.
func (c *Committer) Run(ctx context.Context, to Answers) error {
	c.to = to
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(c.o.Flush, stop)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wakeAll()
	})()
	var wg sync.WaitGroup
	for range c.o.Workers {
		wg.Go(func() { c.work(ctx, writing) })
	}
	wg.Wait()
	if n := c.Status().Uncommitted; n > 0 {
		c.o.Log.Warn("status changes not committed; the next owner decides them again", "changes", n)
	}
	return nil
}

// work takes one job after the other. After ctx has ended it continues until nothing
// waits or writing ends too.
func (c *Committer) work(ctx, writing context.Context) {
	for writing.Err() == nil {
		j := c.next(time.Now())
		switch {
		case j.changes != nil:
			c.commit(writing, j)
			continue
		case j.ballot != nil:
			c.keep(writing, j.ballot)
			continue
		case ctx.Err() == nil:
			c.rest(ctx, j.after)
		case j.after.IsZero():
			return
		default:
			c.rest(writing, j.after)
		}
	}
}

// rest waits for a nudge, or until after if it is not zero.
func (c *Committer) rest(ctx context.Context, after time.Time) {
	wait := idle
	if !after.IsZero() {
		wait = time.Until(after)
	}
	pause.Or(ctx, wait, c.wake)
}

// wakeAll ends all back-offs. The caller holds mu.
func (c *Committer) wakeAll() {
	for i := range c.queues {
		c.queues[i].backOff = backOff{}
	}
	c.ballotBackOff = backOff{}
	for range c.o.Workers {
		c.nudge()
	}
}

// job is a worker's next job: a group of a shard's changes, or a ballot, or nothing until
// after, which is zero when nothing waits.
type job struct {
	shard   shard.ID
	lost    uint64 // the queue's count when the group was taken
	changes []*entry
	ballot  *evidence
	after   time.Time
}

// next takes the group with the oldest change of all shards that do not back off.
func (c *Committer) next(now time.Time) job {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first *shardQueue
	var j job
	for i := range c.queues {
		q := &c.queues[i]
		switch {
		case q.busy || q.waiting.len() == 0:
		case q.backOff.after.After(now):
			j.after = earlier(j.after, q.backOff.after)
		case first == nil || q.waiting.front().number < first.waiting.front().number:
			first, j.shard = q, shard.ID(i)
		}
	}
	switch {
	case first != nil:
		j.lost, first.busy = first.lost, true
		j.changes = first.group()
	case c.ballots.len() == 0:
	case c.ballotBackOff.after.After(now):
		j.after = earlier(j.after, c.ballotBackOff.after)
	default:
		j.ballot = c.ballots.popFront()
	}
	return j
}

// group takes waiting changes, the oldest first. A site that was added again may have two
// changes here: they never share a group, since the second may need the first.
func (q *shardQueue) group() []*entry {
	var out []*entry
	sites := map[check.SiteID]bool{}
	for len(out) < q.most && q.waiting.len() > 0 && !sites[q.waiting.front().SiteID] {
		e := q.waiting.popFront()
		sites[e.SiteID] = true
		out = append(out, e)
	}
	return out
}

// earlier returns the earlier of two times; a zero a does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
