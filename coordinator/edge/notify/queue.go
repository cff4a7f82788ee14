package notify

import (
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

const (
	// maxRetries bounds the remembered times of next attempts; polling finds the others.
	maxRetries = 1024
	// leastLook is how many deliveries a look reads in a shard at least.
	leastLook = 8
	// lookGap is the time between two looks while an endpoint's bucket is empty.
	lookGap = 50 * time.Millisecond
)

type channelOf = channel.Channel

// queue delivers to one endpoint. Its loop decides; attempts and the recorder tell it what
// happened by the fields behind mu.
type queue struct {
	r      *run
	signal chan struct{}
	done   chan struct{}

	mu sync.Mutex
	in inbox

	// The rest belongs to loop.
	sub     subscription.Subscription
	channel channel.Channel // nil when there is none
	bucket  *rate.Limiter
	breaker *gobreaker.TwoStepCircuitBreaker[any]
	// shards are where something waits; stale is set while there may be more than ready has.
	// fresh is set when something was offered since it looked.
	shards       []shard.ID
	stale, fresh bool
	looked       time.Time
	// ready holds deliveries that were read and wait for a place, at most one a lane.
	ready []delivery.Due
	// busy holds the lanes that have a delivery under way, or one whose result is not stored.
	busy    map[int64]shard.ID
	sending int
	closing bool
	// retries holds the times of next attempts, in ascending order.
	retries []time.Time
	// refusing is set while the endpoint refuses us; probe is when to try it again.
	refusing bool
	probe    time.Time
	// rest is until when the endpoint asked to be left alone, token when its bucket has one.
	// tripped means that it rests because its breaker is open.
	rest, token time.Time
	tripped     bool
	// alive is when to look for deliveries to repeat; zero for a channel that repeats none.
	alive time.Time
}

// inbox is what others tell a queue.
type inbox struct {
	offered  []shard.ID
	fresh    bool
	close    bool
	sub      *subscription.Subscription
	finished []outcome
	recorded []outcome
}

// outcome is the result of one attempt.
type outcome struct {
	due    delivery.Due
	answer channel.Answer
	result delivery.Result
	// cut is set when the attempt was not made or our own stop ended it; neither counts
	// as a failure.
	cut bool
	// lost is set when the result cannot be recorded.
	lost bool
}

func newQueue(r *run, s subscription.Subscription, c channel.Channel) *queue {
	q := &queue{r: r, signal: make(chan struct{}, 1), done: make(chan struct{}), busy: map[int64]shard.ID{}}
	q.become(s, c)
	return q
}

// tell changes what others tell a queue, and wakes it.
func (q *queue) tell(change func(*inbox)) {
	q.mu.Lock()
	change(&q.in)
	q.mu.Unlock()
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// offer says in which shards something waits.
func (q *queue) offer(shards []shard.ID) {
	q.tell(func(in *inbox) { in.offered, in.fresh = shards, true })
}

// follow says how the subscription is now.
func (q *queue) follow(s subscription.Subscription) { q.tell(func(in *inbox) { in.sub = &s }) }

// close ends the queue when what is under way has ended.
func (q *queue) close() { q.tell(func(in *inbox) { in.close = true }) }

func (q *queue) ended() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

func (q *queue) loop() {
	defer close(q.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-q.signal:
		case <-timer.C:
			q.stale = true
		}
		q.receive()
		if q.closing && len(q.busy) == 0 {
			if q.channel != nil {
				q.channel.Close()
			}
			return
		}
		q.advance()
		timer.Reset(q.wait(time.Now()))
	}
}

// receive takes what others told.
func (q *queue) receive() {
	q.mu.Lock()
	in := q.in
	q.in = inbox{offered: in.offered, close: in.close}
	q.mu.Unlock()
	q.shards, q.closing = in.offered, in.close
	if in.fresh {
		q.stale, q.fresh = true, true
	}
	if in.sub != nil && in.sub.Revision != q.sub.Revision {
		q.become(*in.sub, nil)
	}
	for _, o := range in.finished {
		q.finish(o)
	}
	for _, o := range in.recorded {
		q.release(o)
	}
}

// become starts to serve a subscription as it is now, by a given channel or one that is made.
func (q *queue) become(s subscription.Subscription, c channel.Channel) {
	if q.channel != nil {
		q.channel.Close()
	}
	if c == nil {
		var err error
		if c, err = q.r.d.o.Channels(s); err != nil {
			q.r.d.o.Log.Error("subscription cannot be told", "subscription", s.ID, "name", s.Name, "error", err)
			c = nil
		}
	}
	q.sub, q.channel, q.bucket, q.breaker, q.stale = s, c, q.r.d.o.pace(&s), newBreaker(), true
	q.rest, q.token = time.Time{}, time.Time{}
	switch {
	case s.ID == subscription.WordPressCom:
	case s.State == subscription.Paused:
		if !q.refusing {
			q.refusing, q.probe = true, s.Since.Add(probeEvery)
		}
	default:
		q.refusing = false
	}
	if s.Kind == subscription.Alertmanager {
		q.alive = time.Now()
	}
}

// advance does everything that is possible now.
func (q *queue) advance() {
	if !q.mayTell() {
		return
	}
	if q.fresh && !q.token.IsZero() && time.Since(q.looked) >= lookGap {
		q.ready = nil // a recovery may have come, which does not wait for the bucket
	}
	q.start()
	for q.stale && len(q.ready) == 0 && q.room() > 0 && q.mayTell() {
		if !q.read() {
			return
		}
		q.start()
	}
}

// mayTell reports whether the endpoint may be told anything at this moment.
func (q *queue) mayTell() bool {
	now := time.Now()
	return !q.closing && q.channel != nil && !q.r.trouble.bad.Load() && !now.Before(q.rest) && !(q.refusing && now.Before(q.probe))
}

// room is how many deliveries may be started.
func (q *queue) room() int {
	most := q.r.d.o.Parallel
	if q.refusing {
		most = 1
	}
	return min(most-q.sending, most*ahead-len(q.busy))
}

// start gives each free place to the first delivery that is ready and may go.
func (q *queue) start() {
	held := q.r.d.o.Shards.Held()
	q.token = time.Time{}
	for len(q.ready) > 0 && q.room() > 0 {
		i := 0
		if !q.bucket.Allow() {
			// Recoveries are never held back.
			if i = slices.IndexFunc(q.ready, func(d delivery.Due) bool { return d.Type == event.SiteUp }); i < 0 {
				q.token = time.Now().Add(max(time.Millisecond, q.untilToken()))
				return
			}
		}
		d := q.ready[i]
		q.ready = slices.Delete(q.ready, i, i+1)
		if _, busy := q.busy[d.Lane]; busy || held[d.Shard].Term == 0 {
			continue
		}
		done, err := q.breaker.Allow()
		if err != nil {
			q.ready, q.rest, q.tripped = nil, time.Now().Add(openFor), true
			return
		}
		if q.refusing {
			q.probe = time.Now().Add(q.probeEvery())
		}
		q.busy[d.Lane], q.sending = d.Shard, q.sending+1
		sub, to := q.sub, q.channel
		q.r.wg.Go(func() {
			o := q.r.attempt(&sub, to, d)
			if o.cut {
				done(nil)
			} else {
				done(ill(o.answer))
			}
			q.tell(func(in *inbox) { in.finished = append(in.finished, o) })
		})
	}
}

// untilToken returns how long the bucket stays empty.
func (q *queue) untilToken() time.Duration {
	if q.bucket.Limit() <= 0 {
		return time.Second
	}
	return time.Duration((1 - q.bucket.Tokens()) / float64(q.bucket.Limit()) * float64(time.Second))
}

func (q *queue) probeEvery() time.Duration {
	if q.sub.ID == subscription.WordPressCom {
		return probeWordPressCom
	}
	return probeEvery
}

// wait returns how long loop may sleep unless something happens.
func (q *queue) wait(now time.Time) time.Duration {
	next := now.Add(time.Minute)
	times := []time.Time{q.rest, q.token, q.probe}
	if q.fresh && !q.token.IsZero() {
		times = append(times, q.looked.Add(lookGap))
	}
	for _, t := range times {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	// What is due cannot start while every place is taken, nor while the endpoint rests.
	if q.room() > 0 && q.mayTell() {
		if len(q.retries) > 0 && q.retries[0].Before(next) {
			next = q.retries[0]
		}
		if !q.alive.IsZero() && q.alive.Before(next) {
			next = q.alive
		}
	}
	return max(time.Millisecond, next.Sub(now))
}

// finish handles the result of an attempt.
func (q *queue) finish(o outcome) {
	q.sending--
	if o.cut {
		q.release(o)
		return
	}
	q.r.d.report(&q.sub, o)
	switch {
	case o.answer.Verdict == channel.Refused:
		q.refuse(o)
	case o.answer.Verdict == channel.Accepted && q.refusing:
		q.resume()
	}
	if q.tripped && ill(o.answer) == nil {
		q.rest, q.tripped, q.stale = time.Time{}, false, true
	}
	if wait := min(o.answer.RetryAfter, maxRetryAfter); wait > 0 && o.answer.Verdict == channel.Failed {
		q.rest = time.Now().Add(wait)
	}
	if o.result.Then == delivery.Alive && q.alive.IsZero() {
		q.alive = time.Now()
	}
	q.r.recorder.add(q, o)
}

// release allows the next delivery of the lane.
func (q *queue) release(o outcome) {
	delete(q.busy, o.due.Lane)
	if o.cut || o.lost {
		return
	}
	if o.result.Then != delivery.Waiting {
		q.stale = true // The lane may have another one.
		return
	}
	if len(q.retries) < maxRetries {
		i, _ := slices.BinarySearchFunc(q.retries, o.result.Again, time.Time.Compare)
		q.retries = slices.Insert(q.retries, i, o.result.Again)
	}
}
