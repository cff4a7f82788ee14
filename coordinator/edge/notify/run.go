package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
)

const (
	// readAhead is how many notifications read fetches for each free place.
	readAhead = 4
	// maxRetries bounds the remembered times of next attempts; polling finds the others.
	maxRetries = 1024
)

// run is the state of one call of Run. Its fields belong to the goroutine that called Run;
// the goroutines of deliveries only send on done.
type run struct {
	d *Deliverer
	// sends and records are the contexts of attempts and of writes to the outbox. They
	// outlive Run's context by drainTime, and by drainTime+recordTime.
	sends, records         context.Context
	stopSends, stopRecords context.CancelFunc

	done chan outcome
	wg   sync.WaitGroup
	// busy holds the sites that have a delivery under way, or one whose result the outbox
	// has not stored yet.
	busy map[check.SiteID]struct{}
	// ready holds notifications that were read and wait for a place, at most one a site.
	ready []record.Notification
	// unrecorded holds results that the outbox has not stored; nothing is sent until it has.
	unrecorded []outcome
	// stale is set while the outbox may hold more than ready does.
	stale bool
	// retries holds the times of next attempts, in ascending order.
	retries []time.Time

	// outboxEdge logs when the outbox begins to fail and when it recovers; outboxFailures
	// counts its failures in a row, and outboxRetry is when to try it again.
	outboxEdge     obs.Edge
	outboxFailures int
	outboxRetry    time.Time
	// counted is when the notifications in the outbox were counted, and withdrawable how many of
	// them belonged to muted shards.
	counted      time.Time
	withdrawable int
	// untold is the last count of the untold sites, made at untoldCounted.
	untold        int
	untoldCounted time.Time
	// muted holds the fence under which each shard was muted.
	muted map[shard.ID]shard.Fence
}

// outcome is the result of one delivery.
type outcome struct {
	notification record.Notification
	at           time.Time
	// err is why the attempt failed, nil when it was accepted; next is when to try again.
	err  error
	next time.Time
	// cut is set when the attempt was not made or our own stop ended it; neither counts
	// as a failure.
	cut bool
	// recordErr is why the outbox did not store the result.
	recordErr error
}

func newRun(ctx context.Context, d *Deliverer) *run {
	r := &run{
		d:     d,
		done:  make(chan outcome, d.o.Parallel),
		busy:  make(map[check.SiteID]struct{}, d.o.Parallel),
		muted: make(map[shard.ID]shard.Fence),
		stale: true,

		outboxEdge: obs.Edge{Log: d.o.Log, What: "outbox", Level: slog.LevelError},
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
		case <-r.d.wake:
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

// advance does everything that is possible now.
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
	if muted := r.d.muted(); len(muted) > 0 {
		r.mute(ctx, muted)
	}
}

// wait returns how long run may sleep unless something happens.
func (r *run) wait(now time.Time) time.Duration {
	next := now.Add(r.d.o.Poll)
	// A due retry cannot start while every place is taken.
	if len(r.busy) < r.d.o.Parallel && len(r.retries) > 0 && r.retries[0].Before(next) {
		next = r.retries[0]
	}
	if r.outboxRetry.After(now) {
		next = r.outboxRetry
	}
	return max(0, next.Sub(now))
}

// read fills ready. The outbox still holds the notifications under way, so read asks for
// more than those to find others among them.
func (r *run) read(ctx context.Context) bool {
	shards, now := r.d.sure(), time.Now()
	r.retries = slices.DeleteFunc(r.retries, func(t time.Time) bool { return !t.After(now) })
	if len(shards) == 0 {
		r.stale = false
		return true
	}
	limit := len(r.busy) + readAhead*(r.d.o.Parallel-len(r.busy))
	call, cancel := context.WithTimeout(ctx, outboxTimeout)
	defer cancel()
	list, err := r.d.outbox.DueNotifications(call, shards, now, limit)
	if ctx.Err() != nil || r.outboxFailed(err) {
		return false
	}
	r.stale = len(list) >= limit
	r.ready = slices.DeleteFunc(list, func(n record.Notification) bool { return !r.free(n, shards) })
	if len(r.ready) == 0 {
		r.stale = false
	}
	r.d.mu.Lock()
	r.d.board.found(r.ready, now)
	r.d.mu.Unlock()
	return true
}

// free reports whether the notification's site is ours and has no delivery under way.
func (r *run) free(n record.Notification, shards []shard.ID) bool {
	_, busy := r.busy[n.Change.SiteID]
	return !busy && slices.Contains(shards, shard.Of(n.Change.Bucket))
}

// start gives each free place to the oldest notification that is ready.
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

// errUncertain means that a shard is not ours, or not certainly.
var errUncertain = errors.New("the shard is not certainly ours")

// deliver makes one attempt and records its result. It runs on its own goroutine.
func (r *run) deliver(n record.Notification) outcome {
	if _, sure := r.d.o.Shards.Fence(shard.Of(n.Change.Bucket)); !sure {
		// This process may have been suspended since the notification was read, and another
		// owner may have sent a newer one. If it has not, the outbox still holds this one.
		return outcome{notification: n, err: errUncertain, cut: true}
	}
	ctx, cancel := context.WithTimeout(r.sends, r.d.o.Timeout)
	defer cancel()
	began := time.Now()
	err := r.d.sender.Load().send(ctx, n)
	o := outcome{notification: n, at: time.Now(), err: err}
	if err != nil {
		if r.sends.Err() != nil {
			o.cut = true
			return o
		}
		again := backoff.Policy{Base: r.d.o.Base, Most: r.d.o.Max}
		o.next = o.at.Add(again.Wait(n.Attempts+1, r.d.o.Random()))
	}
	r.d.metrics.attempt(err, o.at.Sub(began))
	o.recordErr = r.record(o)
	return o
}

// record writes the result of a delivery to the outbox.
func (r *run) record(o outcome) error {
	ctx, cancel := context.WithTimeout(r.records, outboxTimeout)
	defer cancel()
	var err error
	if o.err == nil {
		err = r.d.outbox.Delivered(ctx, o.notification, o.at)
	} else {
		err = r.d.outbox.Postponed(ctx, o.notification, o.next, o.err.Error())
	}
	if fault.Is(err, fault.NotFound) {
		return nil // Another process has removed it, so there is nothing to record.
	}
	return err
}

// finish handles the result of a delivery.
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

// release allows the next notification of the site to be sent.
func (r *run) release(o outcome) {
	delete(r.busy, o.notification.Change.SiteID)
	if o.err == nil {
		r.stale = true // The site may have another one.
		return
	}
	if !o.cut && len(r.retries) < maxRetries {
		i, _ := slices.BinarySearchFunc(r.retries, o.next, time.Time.Compare)
		r.retries = slices.Insert(r.retries, i, o.next)
	}
}

// settle records the results that the outbox has not stored so far. Nothing is sent until
// that is done, so that at most Parallel notifications are sent but not recorded.
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

// count updates the numbers of pending notifications and of untold sites.
func (r *run) count(ctx context.Context, now time.Time) {
	pending, withdrawable, untold := 0, 0, 0
	call, cancel := context.WithTimeout(ctx, outboxTimeout)
	defer cancel()
	var err error
	if shards := r.d.owned(); len(shards) > 0 {
		pending, err = r.d.outbox.CountNotifications(call, shards)
	}
	if muted := r.d.muted(); len(muted) > 0 && err == nil {
		if withdrawable, err = r.d.outbox.CountNotifications(call, muted); err == nil {
			untold, err = r.countUntold(call, now, muted)
		}
	}
	if ctx.Err() != nil || r.outboxFailed(err) {
		return
	}
	pending += withdrawable
	r.withdrawable = withdrawable
	r.counted = now
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.board.status.Pending, r.d.board.status.Untold = pending, untold
	if len(r.ready) == 0 {
		// The outbox was read to its end, so every notification left was tried since then.
		r.d.board.forget(pending, now.Add(-2*r.d.o.Max-r.d.o.Timeout))
	}
}

// outboxFailed records the result of a call of the outbox, and reports whether it failed.
// After a failure nothing is delivered until the outbox works; it is retried with back-off.
func (r *run) outboxFailed(err error) bool {
	r.outboxEdge.Note(err)
	r.d.setOutboxError(err)
	if err == nil {
		r.outboxFailures, r.outboxRetry = 0, time.Time{}
		return false
	}
	r.outboxFailures++
	again := backoff.Policy{Base: r.d.o.Base, Most: max(r.d.o.Base, r.d.o.Poll)}
	r.outboxRetry = time.Now().Add(again.Wait(r.outboxFailures, r.d.o.Random()))
	r.ready = nil // Too old by then.
	r.stale = true
	return true
}

// drain waits at most drainTime for the deliveries under way, and records their results.
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
		r.d.o.Log.Warn("stopped with unrecorded deliveries; they will be repeated", "notifications", n)
	}
}
