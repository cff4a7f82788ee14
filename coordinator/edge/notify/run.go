package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// readAhead is how many notices are read for each place that is free.
	readAhead = 4
	// maxAlarms bounds the remembered times of next attempts; later ones are found
	// by polling.
	maxAlarms = 1024
)

// run is the state of one Run. Its fields belong to the goroutine that called Run;
// the goroutines of deliveries only send on done.
type run struct {
	d *Deliverer
	// sends and records are the contexts of attempts and of writes to the outbox.
	// Both outlive Run's, by drainTime and a little more.
	sends, records         context.Context
	stopSends, stopRecords context.CancelFunc

	done chan outcome
	wg   sync.WaitGroup
	// busy are the sites of deliveries under way, and of those whose end the outbox
	// has not taken yet.
	busy map[check.SiteID]struct{}
	// ready are notices that were read and wait for a place, one a site.
	ready []store.Notice
	// unrecorded are ends that the outbox has not taken; nothing more is sent before.
	unrecorded []outcome
	// stale says that the outbox may hold more than ready.
	stale bool
	// alarms are the times of next attempts, rising.
	alarms []time.Time

	// The outbox's own failures in a row, and when to try it again.
	outboxFailures int
	outboxRetry    time.Time
	// pending notices were in the outbox when they were counted.
	pending int
	counted time.Time
	// untold is the last count of the untold sites, made at untoldCounted.
	untold        int
	untoldCounted time.Time
	// muted holds the tenure in which each shard was muted.
	muted map[shard.ID]shard.Fence
}

// outcome is the end of one delivery.
type outcome struct {
	notice store.Notice
	at     time.Time
	// err is why the attempt failed, next when to make another; nil when it was accepted.
	err  error
	next time.Time
	// cut says that the attempt was not made, or ended by our own stop, which is nobody's
	// failure.
	cut bool
	// recordErr is why the outbox did not take it.
	recordErr error
}

func newRun(ctx context.Context, d *Deliverer) *run {
	r := &run{
		d:     d,
		done:  make(chan outcome, d.o.Parallel),
		busy:  make(map[check.SiteID]struct{}, d.o.Parallel),
		muted: make(map[shard.ID]shard.Fence),
		stale: true,
	}
	lasting := context.WithoutCancel(ctx)
	r.sends, r.stopSends = context.WithCancel(lasting)
	r.records, r.stopRecords = context.WithCancel(lasting)
	return r
}

func (r *run) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.d.poke:
			r.stale = true
		case <-timer.C:
			r.stale = true
		case o := <-r.done:
			r.finish(o)
		}
		r.advance(ctx)
		timer.Reset(r.wait(time.Now()))
	}
}

// advance does all that can be done now.
func (r *run) advance(ctx context.Context) {
	now := time.Now()
	if now.Before(r.outboxRetry) || !r.settle() {
		return
	}
	if !r.d.o.Disabled {
		r.start()
		for r.stale && len(r.ready) == 0 && len(r.busy) < r.d.o.Parallel {
			if !r.read(ctx) {
				return
			}
			r.start()
		}
	}
	if now.Sub(r.counted) >= r.d.o.Poll {
		r.count(ctx, now)
	}
	if r.d.o.Disabled {
		r.mute(ctx)
	}
}

// wait is how long nothing needs to be done unless something happens.
func (r *run) wait(now time.Time) time.Duration {
	next := now.Add(r.d.o.Poll)
	// An alarm is of no use while every place is taken.
	if len(r.busy) < r.d.o.Parallel && len(r.alarms) > 0 && r.alarms[0].Before(next) {
		next = r.alarms[0]
	}
	if r.outboxRetry.After(now) {
		next = r.outboxRetry
	}
	return max(0, next.Sub(now))
}

// read fills ready. It asks for more notices than are under way, which the outbox
// still holds, so that others are among them.
func (r *run) read(ctx context.Context) bool {
	shards, now := r.d.sure(), time.Now()
	r.alarms = slices.DeleteFunc(r.alarms, func(t time.Time) bool { return !t.After(now) })
	if len(shards) == 0 {
		r.stale = false
		return true
	}
	limit := len(r.busy) + readAhead*(r.d.o.Parallel-len(r.busy))
	call, cancel := context.WithTimeout(ctx, outboxTimeout)
	defer cancel()
	list, err := r.d.outbox.DueNotices(call, shards, now, limit)
	if ctx.Err() != nil || r.outboxFailed(err) {
		return false
	}
	r.stale = len(list) >= limit
	r.ready = slices.DeleteFunc(list, func(n store.Notice) bool { return !r.free(n, shards) })
	if len(r.ready) == 0 {
		r.stale = false
	}
	r.d.mu.Lock()
	r.d.board.found(r.ready, now)
	r.d.mu.Unlock()
	return true
}

// free says that the notice's site has no delivery under way, and is ours.
func (r *run) free(n store.Notice, shards []shard.ID) bool {
	_, busy := r.busy[n.Change.SiteID]
	return !busy && slices.Contains(shards, shard.Of(n.Change.Bucket))
}

// start gives each free place to the oldest notice that is ready.
func (r *run) start() {
	shards := r.d.owned()
	for len(r.ready) > 0 && len(r.busy) < r.d.o.Parallel {
		n := r.ready[0]
		r.ready = r.ready[1:]
		if !r.free(n, shards) {
			continue
		}
		r.busy[n.Change.SiteID] = struct{}{}
		r.wg.Go(func() { r.done <- r.deliver(n) })
	}
}

// errUnsure says that a shard is not ours, or not surely.
var errUnsure = errors.New("the shard is not surely ours")

// deliver makes one attempt and records its end. It runs on its own goroutine.
func (r *run) deliver(n store.Notice) outcome {
	if _, sure := r.d.o.Shards.Fence(shard.Of(n.Change.Bucket)); !sure {
		// We may have stood still since it was read, and what it says be long overtaken by
		// what another owner has sent. If it is not, the outbox still has it.
		return outcome{notice: n, err: errUnsure, cut: true}
	}
	ctx, cancel := context.WithTimeout(r.sends, r.d.o.Timeout)
	defer cancel()
	began := time.Now()
	err := r.d.sender.send(ctx, n)
	o := outcome{notice: n, at: time.Now(), err: err}
	if err != nil {
		if r.sends.Err() != nil {
			o.cut = true
			return o
		}
		o.next = o.at.Add(backoff(n.Attempts+1, r.d.o.Base, r.d.o.Max, r.d.o.Random()))
	}
	r.d.metrics.attempt(err, o.at.Sub(began))
	o.recordErr = r.record(o)
	return o
}

// record writes the end of a delivery to the outbox.
func (r *run) record(o outcome) error {
	ctx, cancel := context.WithTimeout(r.records, outboxTimeout)
	defer cancel()
	var err error
	if o.err == nil {
		err = r.d.outbox.Delivered(ctx, o.notice, o.at)
	} else {
		err = r.d.outbox.Postponed(ctx, o.notice, o.next, o.err.Error())
	}
	if fault.Is(err, fault.NotFound) {
		return nil // Somebody else has taken it off, so there is nothing to record.
	}
	return err
}

// finish takes the end of a delivery in.
func (r *run) finish(o outcome) {
	if o.cut {
		r.release(o)
		return
	}
	r.d.report(o)
	if o.recordErr != nil {
		r.unrecorded = append(r.unrecorded, o)
		r.outboxFailed(o.recordErr)
		return
	}
	r.release(o)
}

// release lets the next notice of the site go.
func (r *run) release(o outcome) {
	delete(r.busy, o.notice.Change.SiteID)
	if o.err == nil {
		r.stale = true // The site may have another.
		return
	}
	if !o.cut && len(r.alarms) < maxAlarms {
		i, _ := slices.BinarySearchFunc(r.alarms, o.next, time.Time.Compare)
		r.alarms = slices.Insert(r.alarms, i, o.next)
	}
}

// settle records what the outbox has not taken so far. Until that is done nothing
// more is sent, so that what is sent but not recorded is at most Parallel notices.
func (r *run) settle() bool {
	for len(r.unrecorded) > 0 {
		o := r.unrecorded[0]
		if r.outboxFailed(r.record(o)) {
			return false
		}
		r.unrecorded = r.unrecorded[1:]
		r.release(o)
	}
	return true
}

// count renews the number of notices that are pending, and of sites that are untold.
func (r *run) count(ctx context.Context, now time.Time) {
	pending, untold := 0, 0
	if shards := r.d.owned(); len(shards) > 0 {
		call, cancel := context.WithTimeout(ctx, outboxTimeout)
		defer cancel()
		var err error
		pending, err = r.d.outbox.CountNotices(call, shards)
		if err == nil && r.d.o.Disabled {
			untold, err = r.countUntold(call, now, shards)
		}
		if ctx.Err() != nil || r.outboxFailed(err) {
			return
		}
	}
	r.counted, r.pending = now, pending
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.board.status.Pending, r.d.board.status.Untold = pending, untold
	if len(r.ready) == 0 {
		// The outbox was read to its end, so whatever is left was tried since then.
		r.d.board.forget(pending, now.Add(-2*r.d.o.Max-r.d.o.Timeout))
	}
}

// outboxFailed backs off when the outbox fails, and says so once until it works again.
func (r *run) outboxFailed(err error) bool {
	if err == nil {
		if r.outboxFailures > 0 {
			r.d.o.Log.Info("outbox works again", "failures", r.outboxFailures)
		}
		r.outboxFailures, r.outboxRetry = 0, time.Time{}
		r.d.setOutboxError(nil)
		return false
	}
	if r.outboxFailures == 0 {
		r.d.o.Log.Error("outbox fails; nothing is delivered until it works", "error", err)
	}
	r.outboxFailures++
	r.outboxRetry = time.Now().Add(backoff(r.outboxFailures, r.d.o.Base, max(r.d.o.Base, r.d.o.Poll), r.d.o.Random()))
	r.ready = nil // Too old by then.
	r.stale = true
	r.d.setOutboxError(err)
	return true
}

// drain waits for deliveries under way, for drainTime at most, and records their ends.
func (r *run) drain() {
	sends := time.AfterFunc(drainTime, r.stopSends)
	records := time.AfterFunc(drainTime+recordTime, r.stopRecords)
	r.wg.Wait()
	for len(r.done) > 0 {
		r.finish(<-r.done)
	}
	r.settle()
	sends.Stop()
	records.Stop()
	r.stopSends()
	r.stopRecords()
	if n := len(r.unrecorded); n > 0 {
		r.d.o.Log.Warn("stopped with deliveries that the outbox did not take; they will be made again", "notices", n)
	}
}
