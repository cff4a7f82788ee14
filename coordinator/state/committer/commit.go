package committer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// errUnsure: a shard is not surely ours at this moment. Whether it will be again, or is
// lost, is for its owner to find out.
var errUnsure = errors.New("the shard is not surely ours at this moment")

// commit tries a group once and answers its changes. Those that the store has not
// taken, and not refused, go back.
func (l *Committer) commit(ctx context.Context, j job) {
	tenure, sure := l.o.Shards.Fence(j.shard)
	if !sure {
		l.giveBack(ctx, j, j.changes, errUnsure)
		return
	}
	if j.changes = l.decidedIn(tenure, j.changes); len(j.changes) == 0 {
		l.giveBack(ctx, j, nil, nil)
		return
	}
	results, err := l.write(ctx, tenure, j)
	if err != nil {
		l.giveBack(ctx, j, j.changes, err)
		return
	}
	l.worked(j.shard)
	var refused []int
	for i, r := range results {
		if r.Err != nil {
			refused = append(refused, i)
			continue
		}
		l.answered(j.changes[i])
		l.to.Committed(j.changes[i].Change, r.Committed)
	}
	// The rows are read last, so that nobody waits for them who has his answer.
	var again []*entry
	for _, i := range refused {
		if e := l.refuse(ctx, j, j.changes[i], results[i].Err); e != nil {
			again, err = append(again, j.changes[i]), e
		}
	}
	l.giveBack(ctx, j, again, err)
}

// decidedIn drops the changes that were decided in an earlier tenure: somebody else may
// have judged their sites meanwhile.
func (l *Committer) decidedIn(tenure shard.Fence, es []*entry) (kept []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range es {
		if e.tenure == tenure {
			kept = append(kept, e)
		} else {
			l.void(e)
		}
	}
	l.calm()
	return kept
}

// write commits a group. Its error is for all of it.
func (l *Committer) write(ctx context.Context, fence shard.Fence, j job) ([]store.CommitResult, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	changes := make([]store.Change, len(j.changes))
	for i, e := range j.changes {
		changes[i] = e.Change
	}
	results, err := l.o.Store.CommitAll(ctx, fence, changes)
	if err == nil && len(results) != len(changes) {
		err = fault.New(fault.Internal, "the store answered %d of %d changes", len(results), len(changes))
	}
	return results, err
}

// refuse answers a change that does not fit with the row as it is now. It fails when
// the store does not give the row.
func (l *Committer) refuse(ctx context.Context, j job, e *entry, why error) error {
	if l.isVoid(j) {
		l.mu.Lock()
		l.void(e)
		l.mu.Unlock()
		return nil
	}
	row, err := l.reread(ctx, j, e.SiteID)
	switch {
	case errors.Is(err, errUnsure):
		return err
	case err != nil:
		return errors.Join(why, err)
	}
	l.o.Log.Warn("change refused, the site has changed meanwhile", "site", e.SiteID, "err", why)
	l.answered(e)
	l.to.Refused(e.Change, row)
	return nil
}

// reread reads the row of a site, nil when it is not ours any more.
func (l *Committer) reread(ctx context.Context, j job, id check.SiteID) (*store.Site, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	s, err := l.o.Store.Site(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	sh := shard.Of(s.Bucket)
	switch _, ours := l.o.Shards.Fence(sh); {
	case ours:
		return &s, nil
	case sh == j.shard:
		return nil, errUnsure
	default:
		return nil, nil // it was moved to another owner's bucket
	}
}

// giveBack ends a group: what is left of it because of err waits again.
func (l *Committer) giveBack(ctx context.Context, j job, left []*entry, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desks[j.shard]
	d.busy = false
	if len(left) > 0 {
		l.failed(ctx, err)
		l.retry(d, j, left, err)
	}
	if d.waiting.len() > 0 {
		l.nudge()
	}
}

// retry queues changes anew that were not answered.
func (l *Committer) retry(d *desk, j job, left []*entry, err error) {
	if d.lost != j.lost {
		for _, e := range left {
			l.void(e)
		}
		l.calm()
		return
	}
	d.pace.slow(time.Now())
	// It is nothing that a smaller group could do better, or that one change is the cause of.
	owner := isOwnership(err)
	if !owner {
		d.most = max(1, len(j.changes)/2)
	}
	if len(left) == 1 && !owner {
		// Perhaps it is its own fault: the others need not wait for it.
		d.waiting.pushBack(left[0])
		return
	}
	for _, e := range slices.Backward(left) {
		d.waiting.pushFront(e)
	}
}

// isOwnership says that what failed is not the store's fault but that of ownership: it is
// unsure, or the store knows that it has ended, which Forget will say.
func isOwnership(err error) bool { return errors.Is(err, errUnsure) || fault.Is(err, fault.Fenced) }

// void drops a change of a shard that was lost.
func (l *Committer) void(e *entry) {
	l.open.Remove(e.place)
	l.fenced++
}

func (l *Committer) isVoid(j job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.desks[j.shard].lost != j.lost
}

func (l *Committer) answered(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open.Remove(e.place)
}

// worked notes that the store took a group of a shard, and may take larger ones.
func (l *Committer) worked(s shard.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desks[s]
	d.most = min(2*d.most, maxGroup)
	recovered := d.pace.wait > 0
	d.pace = pace{}
	if !l.failing.IsZero() {
		l.o.Log.Info("the store takes status changes again", "after", time.Since(l.failing).Round(time.Millisecond))
	}
	l.failing, l.lastErr = time.Time{}, ""
	if recovered {
		l.wakeAll() // the others may have waited for the same trouble
	}
}

// failed notes that the store refuses. An ownership that is unsure or has ended is no
// answer of the store, and a process that ends no fault at all.
func (l *Committer) failed(ctx context.Context, err error) {
	if ctx.Err() != nil || isOwnership(err) {
		return
	}
	if l.failing.IsZero() {
		l.failing = time.Now()
		l.o.Log.Error("the store does not take status changes", "err", err)
	}
	l.lastErr = err.Error()
}

// calm ends the alarm when nothing is left that the store could refuse.
func (l *Committer) calm() {
	if l.open.Len() == 0 {
		l.failing, l.lastErr = time.Time{}, ""
	}
}

// keep tries to write evidence; losing it is no harm to the verdicts.
func (l *Committer) keep(ctx context.Context, t *testimony) {
	fence, ok := l.o.Shards.Fence(shard.Of(t.Bucket))
	if !ok {
		l.mu.Lock()
		l.dropped++
		l.mu.Unlock()
		return
	}
	call, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := l.o.Store.KeepBallot(call, fence, t.Ballot)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.keeping = pace{}
		return
	}
	if t.tries++; t.tries < maxTries && fault.Is(err, fault.Unavailable) {
		l.keeping.slow(time.Now())
		l.evidence.pushBack(t)
		return
	}
	l.dropped++
	l.o.Log.Warn("evidence of a ballot was not kept", "site", t.SiteID, "err", err)
}
