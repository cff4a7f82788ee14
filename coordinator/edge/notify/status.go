package notify

import (
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Status is what an operator must know about delivery.
type Status struct {
	Disabled bool
	// Telling counts our shards of whose changes WordPress.com is notified.
	Telling int
	// Pending is the number of notifications in the outbox, counted at most Options.Poll
	// ago while the outbox works.
	Pending int
	// Untold counts the sites whose recorded status WordPress.com does not know because
	// delivery is Disabled, or their shards are on trial.
	Untold int
	// RefusedSince is the time of the first failed attempt among the notifications that
	// WordPress.com has still not accepted; zero when there is none. It belongs to the
	// notification that has failed longest, so that good ones do not hide a bad one.
	RefusedSince time.Time
	// LastError is the reason of the newest failed attempt, made at LastErrorTime.
	// Later successes do not clear it.
	LastError     string
	LastErrorTime time.Time
	// LastAccepted is the time of the newest accepted notification; zero when there was none.
	LastAccepted time.Time
	// OutboxError is why the outbox cannot be read or written, since OutboxFailedSince;
	// empty while it works.
	OutboxError       string
	OutboxFailedSince time.Time
}

// Status returns the state of delivery.
func (d *Deliverer) Status() Status {
	owned := d.owned()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.keep(owned)
	s := d.board.status
	s.Disabled, s.Telling = d.o.Disabled, len(owned)
	for _, f := range d.board.failing {
		if s.RefusedSince.IsZero() || f.since.Before(s.RefusedSince) {
			s.RefusedSince = f.since
		}
	}
	return s
}

// maxFailing bounds the notifications that board remembers as failing.
const maxFailing = 4096

// board holds the data that Status reports.
type board struct {
	status Status
	// failing holds, by id, the notifications that were tried and not accepted.
	failing map[int64]failing
}

type failing struct {
	shard       shard.ID
	since, last time.Time
}

func newBoard() board { return board{failing: make(map[int64]failing)} }

// keep forgets the notifications of all shards but these.
func (b *board) keep(shards []shard.ID) {
	maps.DeleteFunc(b.failing, func(_ int64, f failing) bool { return !slices.Contains(shards, f.shard) })
}

// found records the notifications of list, read at now, that failed before this process
// started.
func (b *board) found(list []record.Notification, now time.Time) {
	for _, n := range list {
		if n.Attempts > 0 {
			b.fails(n, n.Created, now)
		}
	}
}

func (b *board) fails(n record.Notification, since, last time.Time) {
	f, known := b.failing[n.ID]
	if !known {
		if len(b.failing) >= maxFailing {
			return
		}
		f = failing{shard: shard.Of(n.Change.Bucket), since: since}
	}
	f.last = last
	b.failing[n.ID] = f
}

// forget drops the notifications that cannot be in the outbox any more: all of them when
// nothing is pending, and those whose last attempt was before the given time.
func (b *board) forget(pending int, before time.Time) {
	maps.DeleteFunc(b.failing, func(_ int64, f failing) bool { return pending == 0 || f.last.Before(before) })
}

// report records the result of an attempt. It logs when WordPress.com begins to refuse,
// and when it has accepted the last notification that it had refused.
func (d *Deliverer) report(o outcome) {
	c, owned := o.notification.Change, d.owned()
	d.mu.Lock()
	d.board.keep(owned)
	failedBefore := len(d.board.failing) > 0
	if o.err == nil {
		delete(d.board.failing, o.notification.ID)
		d.board.status.LastAccepted = o.at
	} else {
		d.board.fails(o.notification, o.at, o.at)
		d.board.status.LastError, d.board.status.LastErrorTime = o.err.Error(), o.at
	}
	failsNow := len(d.board.failing) > 0
	d.mu.Unlock()

	log := d.o.Log.With("site_id", c.SiteID, "blog_id", c.BlogID, "status", c.To, "key", o.notification.Key)
	switch {
	case o.err == nil:
		log.Debug("notification accepted", "attempts", o.notification.Attempts+1)
	case !failedBefore:
		log.Warn("delivery failed, retrying", "attempts", o.notification.Attempts+1, "error", o.err, "next", o.next)
	default:
		log.Debug("delivery failed, retrying", "attempts", o.notification.Attempts+1, "error", o.err, "next", o.next)
	}
	if failedBefore && !failsNow {
		d.o.Log.Info("delivery recovered")
	}
}

func (d *Deliverer) setOutboxError(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.board.status
	switch {
	case err == nil:
		s.OutboxError, s.OutboxFailedSince = "", time.Time{}
	case s.OutboxError == "":
		s.OutboxFailedSince = time.Now()
		fallthrough
	default:
		s.OutboxError = err.Error()
	}
}
