package committer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// pace is when something that failed is tried again. The zero value is at once.
type pace struct {
	wait  time.Duration
	after time.Time
}

// slow doubles the wait, and spreads it, so that not all come back at the same time.
func (p *pace) slow(now time.Time) {
	p.wait = min(max(minWait, 2*p.wait), maxWait)
	p.after = now.Add(p.wait/2 + rand.N(p.wait/2))
}

// Run writes, and hands the answers to somebody, until ctx ends, and a little longer if
// something is still queued. It is called once.
func (l *Committer) Run(ctx context.Context, to Answers) error {
	l.to = to
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(l.o.Flush, stop)
		l.hurry()
	})()
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

// work takes one job after the other. When ctx has ended it goes on until nothing
// waits, or writing ends too.
func (l *Committer) work(ctx, writing context.Context) {
	for writing.Err() == nil {
		j := l.next(time.Now())
		switch {
		case j.changes != nil:
			l.commit(writing, j)
			continue
		case j.ballot != nil:
			l.keep(writing, j.ballot)
			continue
		case ctx.Err() == nil:
			l.rest(ctx.Done(), j.after)
		case j.after.IsZero():
			return
		default:
			l.rest(writing.Done(), j.after)
		}
	}
}

// rest waits until there may be something to do; after, when not zero, is when there is.
func (l *Committer) rest(end <-chan struct{}, after time.Time) {
	var due <-chan time.Time
	if !after.IsZero() {
		timer := time.NewTimer(time.Until(after))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-l.wake:
	case <-due:
	case <-end:
	}
}

// hurry ends all waits.
func (l *Committer) hurry() {
	l.mu.Lock()
	l.wakeAll()
	l.mu.Unlock()
}

// wakeAll lets everything be tried now that waited for the store.
func (l *Committer) wakeAll() {
	for i := range l.desks {
		l.desks[i].pace = pace{}
	}
	l.keeping = pace{}
	for range l.o.Workers {
		l.nudge()
	}
}

// job is what a worker does next: a group of a shard's changes, or a ballot; or
// nothing, until after, which is zero when nothing waits.
type job struct {
	shard   shard.ID
	lost    uint64 // of the desk when it was taken
	changes []*entry
	ballot  *testimony
	after   time.Time
}

// next takes the group with the oldest change of all that may be tried now.
func (l *Committer) next(now time.Time) job {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *desk
	var j job
	for i := range l.desks {
		d := &l.desks[i]
		switch {
		case d.busy || d.waiting.len() == 0:
		case d.pace.after.After(now):
			j.after = earlier(j.after, d.pace.after)
		case first == nil || d.waiting.front().number < first.waiting.front().number:
			first, j.shard = d, shard.ID(i)
		}
	}
	switch {
	case first != nil:
		j.lost, first.busy = first.lost, true
		j.changes = first.group()
	case l.evidence.len() == 0:
	case l.keeping.after.After(now):
		j.after = earlier(j.after, l.keeping.after)
	default:
		j.ballot = l.evidence.popFront()
	}
	return j
}

// group takes what waits, the oldest first. A site that was begun anew may have two
// changes here: they are never in one group, since the second may need the first.
func (d *desk) group() []*entry {
	var out []*entry
	sites := map[check.SiteID]bool{}
	for len(out) < d.most && d.waiting.len() > 0 && !sites[d.waiting.front().SiteID] {
		e := d.waiting.popFront()
		sites[e.SiteID] = true
		out = append(out, e)
	}
	return out
}

// earlier is the earlier one of two times that are not zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
