package committer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// errUncertain means that a shard is uncertain: package ownership finds out whether it is
// ours again or lost.
var errUncertain = errors.New("the ownership of the shard is uncertain")

// commit tries a group once and reports the results of its changes. Changes that the store
// has neither committed nor refused return to the queue.
func (c *Committer) commit(ctx context.Context, j job) {
	tenure, certain := c.o.Shards.Fence(j.shard)
	if !certain {
		c.giveBack(ctx, j, j.changes, errUncertain)
		return
	}
	if j.changes = c.decidedIn(tenure, j.changes); len(j.changes) == 0 {
		c.giveBack(ctx, j, nil, nil)
		return
	}
	results, err := c.write(ctx, tenure, j)
	if err != nil {
		c.giveBack(ctx, j, j.changes, err)
		return
	}
	c.worked(j.shard)
	var refused []int
	for i, r := range results {
		if r.Err != nil {
			refused = append(refused, i)
			continue
		}
		c.answered(j.changes[i])
		c.to.Committed(j.changes[i].Change, r.Committed)
	}
	// Rows are read last, so that the results of committed changes do not wait for them.
	var retry []*entry
	for _, i := range refused {
		if e := c.refuse(ctx, j, j.changes[i], results[i].Err); e != nil {
			retry, err = append(retry, j.changes[i]), e
		}
	}
	c.giveBack(ctx, j, retry, err)
}

// decidedIn discards the changes that were decided in an earlier tenure: another owner may
// have judged their sites since.
func (c *Committer) decidedIn(tenure shard.Fence, es []*entry) (kept []*entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range es {
		if e.tenure == tenure {
			kept = append(kept, e)
		} else {
			c.discard(e)
		}
	}
	c.clearIfEmpty()
	return kept
}

// write commits a group. Its error concerns the whole group.
func (c *Committer) write(ctx context.Context, fence shard.Fence, j job) ([]store.CommitResult, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	changes := make([]record.Change, len(j.changes))
	for i, e := range j.changes {
		changes[i] = e.Change
	}
	results, err := c.o.Store.CommitAll(ctx, fence, changes)
	if err == nil && len(results) != len(changes) {
		err = fault.New(fault.Internal, "the store answered %d of %d changes", len(results), len(changes))
	}
	return results, err
}

// refuse reports a change that the store refused, with the row as it is now. It fails when
// it cannot read the row.
func (c *Committer) refuse(ctx context.Context, j job, e *entry, why error) error {
	if c.isLost(j) {
		c.mu.Lock()
		c.discard(e)
		c.mu.Unlock()
		return nil
	}
	row, err := c.reread(ctx, j, e.SiteID)
	switch {
	case errors.Is(err, errUncertain):
		return err
	case err != nil:
		return errors.Join(why, err)
	}
	c.o.Log.Warn("change refused", "site_id", e.SiteID, "error", why)
	c.answered(e)
	c.to.Refused(e.Change, row)
	return nil
}

// reread reads the row of a site; nil when the site is no longer ours.
func (c *Committer) reread(ctx context.Context, j job, id check.SiteID) (*record.Site, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	s, err := c.o.Store.Site(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	sh := shard.Of(s.Bucket)
	switch _, ours := c.o.Shards.Fence(sh); {
	case ours:
		return &s, nil
	case sh == j.shard:
		return nil, errUncertain
	default:
		return nil, nil // moved to a bucket of another owner
	}
}

// giveBack ends a group and queues again the changes that err left without a result.
func (c *Committer) giveBack(ctx context.Context, j job, left []*entry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queues[j.shard]
	q.busy = false
	if len(left) > 0 {
		c.failed(ctx, err)
		c.retry(q, j, left, err)
	}
	if q.waiting.len() > 0 {
		c.nudge()
	}
}

// retry queues changes again that have no result, and backs off.
func (c *Committer) retry(q *shardQueue, j job, left []*entry, err error) {
	if q.lost != j.lost {
		for _, e := range left {
			c.discard(e)
		}
		c.clearIfEmpty()
		return
	}
	q.backOff.failed(time.Now())
	// A smaller group cannot help against lost ownership, and no single change causes it.
	owner := isOwnership(err)
	if !owner {
		q.most = max(1, len(j.changes)/2)
	}
	if len(left) == 1 && !owner {
		// The change itself may be the cause: the others do not wait for it.
		q.waiting.pushBack(left[0])
		return
	}
	for _, e := range slices.Backward(left) {
		q.waiting.pushFront(e)
	}
}

// isOwnership reports whether an error is about ownership and not the store's fault: the
// shard is uncertain, or the store knows that it is lost and Forget will follow.
func isOwnership(err error) bool { return errors.Is(err, errUncertain) || fault.Is(err, fault.Fenced) }

// discard drops a change of a shard that was lost. The caller holds mu.
func (c *Committer) discard(e *entry) {
	c.open.Remove(e.place)
	c.fenced++
}

// isLost reports whether the shard of a job was lost after the job was taken.
func (c *Committer) isLost(j job) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queues[j.shard].lost != j.lost
}

func (c *Committer) answered(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open.Remove(e.place)
}

// worked records that the store committed a group of a shard, and may take larger ones.
func (c *Committer) worked(s shard.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queues[s]
	q.most = min(2*q.most, maxGroup)
	recovered := q.backOff.failures > 0
	q.backOff = backOff{}
	if !c.failing.IsZero() {
		c.o.Log.Info("committing status changes recovered", "after", time.Since(c.failing).Round(time.Millisecond))
	}
	c.failing, c.lastErr = time.Time{}, ""
	if recovered {
		c.wakeAll() // other shards may have backed off for the same reason
	}
}

// failed records that the store fails. Errors of ownership do not count, nor any after ctx
// has ended. The caller holds mu.
func (c *Committer) failed(ctx context.Context, err error) {
	if ctx.Err() != nil || isOwnership(err) {
		return
	}
	if c.failing.IsZero() {
		c.failing = time.Now()
		c.o.Log.Error("committing status changes failed", "error", err)
	}
	c.lastErr = err.Error()
}

// clearIfEmpty ends the alarm when no change is left on which the store could fail. The
// caller holds mu.
func (c *Committer) clearIfEmpty() {
	if c.open.Len() == 0 {
		c.failing, c.lastErr = time.Time{}, ""
	}
}

// keep tries to write the evidence of a ballot; no verdict depends on it.
func (c *Committer) keep(ctx context.Context, e *evidence) {
	fence, ok := c.o.Shards.Fence(shard.Of(e.Bucket))
	if !ok {
		c.mu.Lock()
		c.dropped++
		c.mu.Unlock()
		return
	}
	call, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := c.o.Store.KeepBallot(call, fence, e.Ballot)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.ballotBackOff = backOff{}
		return
	}
	if e.tries++; e.tries < maxTries && fault.Is(err, fault.Unavailable) {
		c.ballotBackOff.failed(time.Now())
		c.ballots.pushBack(e)
		return
	}
	c.dropped++
	c.o.Log.Warn("ballot evidence dropped", "site_id", e.SiteID, "error", err)
}
