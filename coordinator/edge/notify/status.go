package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// Status is what an operator must know about delivery.
type Status struct {
	Disabled bool
	// Telling counts our shards of whose changes WordPress.com is notified.
	Telling int
	// Pending is the number of notifications to WordPress.com that it has not accepted, counted
	// at most Options.Poll ago while the store works.
	Pending int
	// Untold counts the sites whose recorded status WordPress.com does not know because
	// delivery is Disabled, or their shards are on trial.
	Untold int
	// RefusedSince is the time of the first failed attempt among the notifications that
	// WordPress.com has still not accepted; zero when there is none. It belongs to the
	// notification that has failed longest, so that good ones do not hide a bad one.
	RefusedSince time.Time
	// LastError is the reason of the newest failed attempt at telling WordPress.com, made at
	// LastErrorTime. Later successes do not clear it.
	LastError     string
	LastErrorTime time.Time
	// LastAccepted is the time of the newest accepted notification; zero when there was none.
	LastAccepted time.Time
	// OutboxError is why the store cannot be read or written, since OutboxFailedSince;
	// empty while it works.
	OutboxError       string
	OutboxFailedSince time.Time
	// Endpoints has WordPress.com and each subscription that is not disabled, by id.
	Endpoints []Endpoint
}

// Endpoint is how well a subscription can be told.
type Endpoint struct {
	Subscription int64
	Name         string
	// Pending and Dead count its deliveries in our shards. Oldest is when the oldest one that is
	// still to be told was made, in all shards; zero when there is none.
	Pending, Dead int
	Oldest        time.Time
	// PausedSince is since when it is paused because it refuses us, zero when it is not; Why is
	// its answer.
	PausedSince time.Time
	Why         string
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
	s.Endpoints = slices.SortedFunc(maps.Values(d.board.endpoints), func(a, b Endpoint) int { return cmp.Compare(a.Subscription, b.Subscription) })
	return s
}

// maxFailing bounds the notifications that board remembers as failing.
const maxFailing = 4096

// board holds the data that Status reports.
type board struct {
	status Status
	// failing holds, by id, the notifications to WordPress.com that were tried and not accepted.
	failing   map[int64]failing
	endpoints map[int64]Endpoint
}

type failing struct {
	shard       shard.ID
	since, last time.Time
}

func newBoard() board {
	return board{failing: map[int64]failing{}, endpoints: map[int64]Endpoint{0: {Name: "WordPress.com"}}}
}

// keep forgets the notifications of all shards but these.
func (b *board) keep(shards []shard.ID) {
	maps.DeleteFunc(b.failing, func(_ int64, f failing) bool { return !slices.Contains(shards, f.shard) })
}

func (b *board) fails(d *delivery.Delivery, since, last time.Time) {
	f, known := b.failing[d.ID]
	if !known {
		if len(b.failing) >= maxFailing {
			return
		}
		f = failing{shard: d.Shard, since: since}
	}
	f.last = last
	b.failing[d.ID] = f
}

// change changes what is known of a subscription that is on the board.
func (b *board) change(id int64, f func(*Endpoint)) {
	if e, ok := b.endpoints[id]; ok {
		f(&e)
		b.endpoints[id] = e
	}
}

// foundFailing records the notifications to WordPress.com, of those just read, that failed before
// this process started.
func (d *Deliverer) foundFailing(list []delivery.Due) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range list {
		if n := &list[i].Delivery; n.Attempts > 0 {
			d.board.fails(n, n.Since, now)
		}
	}
}

// counted records how many deliveries there are; withdrawable are those that will be withdrawn.
func (d *Deliverer) counted(sums map[int64]delivery.Count, withdrawable int) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.board.endpoints {
		d.board.change(id, func(e *Endpoint) {
			if e.Pending, e.Dead = sums[id].Pending, sums[id].Dead; e.Pending == 0 {
				e.Oldest = time.Time{}
			}
		})
	}
	pending := sums[subscription.WordPressCom].Pending
	d.board.status.Pending = pending + withdrawable
	// What cannot be waiting any more is forgotten: all when nothing is, and what was tried so
	// long ago that it would have been tried again.
	before := now.Add(-2*d.o.Max - d.o.Timeout)
	maps.DeleteFunc(d.board.failing, func(_ int64, f failing) bool { return pending == 0 || f.last.Before(before) })
}

// withdrawn corrects the count after notifications were withdrawn.
func (d *Deliverer) withdrawn(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.status.Pending = max(0, d.board.status.Pending-n)
}

// untold records how many sites are untold.
func (d *Deliverer) untold(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.status.Untold = n
}

// aged records since when the oldest delivery of each subscription waits.
func (d *Deliverer) aged(oldest map[int64]time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.board.endpoints {
		d.board.change(id, func(e *Endpoint) { e.Oldest = oldest[id] })
	}
}

// subscribed records which subscriptions there are.
func (d *Deliverer) subscribed(all []subscription.Subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[int64]Endpoint{subscription.WordPressCom: d.board.endpoints[subscription.WordPressCom]}
	for _, s := range all {
		e := d.board.endpoints[s.ID]
		e.Subscription, e.Name, e.PausedSince, e.Why = s.ID, s.Name, time.Time{}, ""
		if s.State == subscription.Paused {
			e.PausedSince, e.Why = s.Since, s.Why
		}
		next[s.ID] = e
	}
	d.board.endpoints = next
}

// paused records that an endpoint refuses us, or, by the empty reason, that it does no more.
func (d *Deliverer) paused(id int64, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.change(id, func(e *Endpoint) {
		switch {
		case why == "":
			e.PausedSince = time.Time{}
		case e.PausedSince.IsZero():
			e.PausedSince = time.Now()
		}
		e.Why = why
	})
}

// report records the result of an attempt. It logs when WordPress.com begins to refuse,
// and when it has accepted the last notification that it had refused.
func (d *Deliverer) report(s *subscription.Subscription, o outcome) {
	ctx := d.traced(s, &o)
	d.metrics.attempt(ctx, s, o)
	accepted := o.answer.Verdict == channel.Accepted
	log := d.o.Log.With("subscription", s.ID, "site_id", o.due.SiteID, "event", o.due.Type, "key", o.due.Key, "attempts", o.due.Attempts+1)
	failedBefore, failsNow := true, true
	if s.ID == subscription.WordPressCom {
		failedBefore, failsNow = d.reportLegacy(o, accepted)
	}
	switch {
	case accepted:
		log.DebugContext(ctx, "notification accepted")
	case o.result.Then == delivery.Dead:
		log.ErrorContext(ctx, "delivery given up, kept as a dead letter", "http_status", o.answer.HTTPStatus, "answer", o.answer.Text)
	case !failedBefore:
		log.WarnContext(ctx, "delivery failed, retrying", "error", o.answer.Text, "next", o.result.Again)
	default:
		log.DebugContext(ctx, "delivery failed, retrying", "error", o.answer.Text, "next", o.result.Again)
	}
	if failedBefore && !failsNow {
		d.o.Log.Info("delivery recovered")
	}
}

// reportLegacy puts the result of telling WordPress.com on the board, and returns whether some
// notification failed before and does so now.
func (d *Deliverer) reportLegacy(o outcome, accepted bool) (before, now bool) {
	owned := d.owned()
	at := o.result.At.Add(o.result.Took)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.keep(owned)
	before = len(d.board.failing) > 0
	if accepted {
		d.board.status.LastAccepted = at
	} else {
		d.board.status.LastError, d.board.status.LastErrorTime = o.answer.Text, at
	}
	if o.result.Then == delivery.Waiting {
		d.board.fails(&o.due.Delivery, at, at)
	} else {
		delete(d.board.failing, o.due.ID)
	}
	return before, len(d.board.failing) > 0
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
