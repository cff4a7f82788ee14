package notify

import (
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// Status is what an operator must know of delivery.
type Status struct {
	Disabled bool
	// Pending is how many notices the outbox holds, counted at most Options.Poll ago
	// while the outbox works.
	Pending int
	// Untold counts the sites whose recorded status WordPress.com does not know because
	// delivery is Disabled; 0 while it is enabled.
	Untold int
	// RefusedSince is the time of the first failed attempt among notices that
	// WordPress.com has still not accepted; zero when there is none. It is about the
	// notice that fails longest, so that one bad notice does not hide behind good ones.
	RefusedSince time.Time
	// LastError says in words why the newest failed attempt failed, at LastErrorTime.
	// It stays when later attempts succeed.
	LastError     string
	LastErrorTime time.Time
	// LastAccepted is the time of the newest accepted notice; zero when there was none.
	LastAccepted time.Time
	// OutboxError says why the outbox cannot be read or written, since OutboxFailedSince;
	// empty while it works.
	OutboxError       string
	OutboxFailedSince time.Time
}

// Status says how delivery stands.
func (d *Deliverer) Status() Status {
	owned := d.owned()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.keep(owned)
	s := d.board.status
	s.Disabled = d.o.Disabled
	for _, f := range d.board.failing {
		if s.RefusedSince.IsZero() || f.since.Before(s.RefusedSince) {
			s.RefusedSince = f.since
		}
	}
	return s
}

// maxFailing bounds the notices that are remembered as failing.
const maxFailing = 4096

// board is what Status is made of.
type board struct {
	status Status
	// failing are notices that were tried and not accepted, by id.
	failing map[int64]failing
}

type failing struct {
	shard       shard.ID
	since, last time.Time
}

func newBoard() board { return board{failing: make(map[int64]failing)} }

// keep forgets the notices of other shards.
func (b *board) keep(shards []shard.ID) {
	maps.DeleteFunc(b.failing, func(_ int64, f failing) bool { return !slices.Contains(shards, f.shard) })
}

// found takes in notices, read at now, that failed in a life before this one.
func (b *board) found(list []store.Notice, now time.Time) {
	for _, n := range list {
		if n.Attempts > 0 {
			b.fails(n, n.Created, now)
		}
	}
}

func (b *board) fails(n store.Notice, since, last time.Time) {
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

// forget drops what cannot be in the outbox any more, because nothing is, or because
// it was not tried since before.
func (b *board) forget(pending int, before time.Time) {
	maps.DeleteFunc(b.failing, func(_ int64, f failing) bool { return pending == 0 || f.last.Before(before) })
}

// report keeps the end of an attempt, and logs when WordPress.com begins to refuse
// and when the last refused notice is accepted.
func (d *Deliverer) report(o outcome) {
	c, owned := o.notice.Change, d.owned()
	d.mu.Lock()
	d.board.keep(owned)
	failedBefore := len(d.board.failing) > 0
	if o.err == nil {
		delete(d.board.failing, o.notice.ID)
		d.board.status.LastAccepted = o.at
	} else {
		d.board.fails(o.notice, o.at, o.at)
		d.board.status.LastError, d.board.status.LastErrorTime = o.err.Error(), o.at
	}
	failsNow := len(d.board.failing) > 0
	d.mu.Unlock()

	log := d.o.Log.With("site_id", c.SiteID, "blog_id", c.BlogID, "status", c.To, "key", o.notice.Key)
	switch {
	case o.err == nil:
		log.Debug("notice accepted", "attempts", o.notice.Attempts+1)
	case !failedBefore:
		log.Warn("WordPress.com does not accept a notice; it is tried again until it does", "error", o.err, "next", o.next)
	default:
		log.Debug("notice not accepted", "attempts", o.notice.Attempts+1, "error", o.err, "next", o.next)
	}
	if failedBefore && !failsNow {
		d.o.Log.Info("WordPress.com has accepted all notices that it did not accept at first")
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
