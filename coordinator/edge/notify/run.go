package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
)

// errIll means that an endpoint is not well.
var errIll = errors.New("the endpoint is not well")

// adoptAtOnce bounds the rows of an older version that one transaction adopts.
const adoptAtOnce = 200

// run is the state of one call of Run. It knows which subscriptions there are, and in which
// shards something waits for them; each has a queue, which does the rest. Its fields belong to
// the goroutine that called Run but for those that say otherwise.
type run struct {
	d *Deliverer
	// sends and records are the contexts of attempts and of writes to the store. They
	// outlive Run's context by drainTime, and by drainTime+recordTime.
	sends, records         context.Context
	stopSends, stopRecords context.CancelFunc
	// wg has all goroutines; places bounds the attempts at once; recorder stores results. Safe
	// for concurrent use.
	wg       sync.WaitGroup
	places   chan struct{}
	recorder *recorder
	trouble  trouble

	queues map[int64]*queue
	// told is when the subscriptions were read.
	told time.Time
	// adopted and muted hold the fence under which each shard was adopted and muted.
	adopted, muted map[shard.ID]shard.Fence
	// aged is when the oldest deliveries were looked for; withdrawable is how many
	// notifications belonged to muted shards at the last count.
	aged         time.Time
	withdrawable int
	// untoldCounted is when the untold sites were counted.
	untoldCounted time.Time
}

func newRun(ctx context.Context, d *Deliverer) *run {
	r := &run{
		d: d, places: make(chan struct{}, maxPlaces), queues: map[int64]*queue{},
		adopted: map[shard.ID]shard.Fence{}, muted: map[shard.ID]shard.Fence{},
		trouble: trouble{d: d, edge: obs.Edge{Log: d.o.Log, What: "outbox", Level: slog.LevelError}},
	}
	r.recorder = &recorder{r: r, piles: map[shard.ID]*pile{}, turns: make(chan struct{}, maxFlushes)}
	lasting := context.WithoutCancel(ctx)
	r.sends, r.stopSends = context.WithCancel(lasting)
	r.records, r.stopRecords = context.WithCancel(lasting)
	return r
}

func (r *run) loop(ctx context.Context) {
	if !r.d.o.Disabled {
		r.open(subscription.Subscription{ID: subscription.WordPressCom, Name: "WordPress.com", Kind: subscription.WPCOMLegacy, State: subscription.Active}, legacy{r.d})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.d.wake:
		case <-timer.C:
		}
		r.look(ctx)
		timer.Reset(r.trouble.wait(r.d.o.Poll))
	}
}

// look finds out what waits for whom, and wakes their queues.
func (r *run) look(ctx context.Context) {
	now := time.Now()
	if r.trouble.wait(0) > 0 || !r.adopt(ctx) {
		return
	}
	held := r.d.o.Shards.Held()
	var counts []delivery.Count
	if shards := held.Staying(); len(shards) > 0 {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		var err error
		if counts, err = r.d.store.CountDeliveries(call, shards); ctx.Err() != nil || r.trouble.note(err) {
			return
		}
	}
	if !r.follow(ctx, counts, now) {
		return
	}
	work, sums := map[int64][]shard.ID{}, map[int64]delivery.Count{}
	withdrawable := 0
	for _, c := range counts {
		if c.Subscription == subscription.WordPressCom && r.d.silent(held[c.Shard]) {
			withdrawable += c.Pending
			continue
		}
		sum := sums[c.Subscription]
		sums[c.Subscription] = delivery.Count{Pending: sum.Pending + c.Pending, Dead: sum.Dead + c.Dead}
		if c.Pending > 0 && held[c.Shard].Sure {
			work[c.Subscription] = append(work[c.Subscription], c.Shard)
		}
	}
	r.withdrawable = withdrawable
	for id, q := range r.queues {
		q.offer(work[id])
	}
	r.d.counted(sums, withdrawable)
	r.slowly(ctx, sums, now)
}

// slowly does what need not be done at each look.
func (r *run) slowly(ctx context.Context, sums map[int64]delivery.Count, now time.Time) {
	muted := r.d.muted()
	if now.Sub(r.aged) >= r.d.o.Poll {
		if !r.age(ctx, sums) || !r.countUntold(ctx, now, muted) {
			return
		}
		r.aged = now
	}
	if len(muted) > 0 {
		r.mute(ctx, muted)
	}
}

// age finds the oldest delivery of each subscription that has some.
func (r *run) age(ctx context.Context, sums map[int64]delivery.Count) bool {
	oldest := map[int64]time.Time{}
	for id, sum := range sums {
		if sum.Pending == 0 {
			continue
		}
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		at, err := r.d.store.OldestDelivery(call, id)
		cancel()
		if ctx.Err() != nil || r.trouble.note(err) {
			return false
		}
		oldest[id] = at
	}
	r.d.aged(oldest)
	return true
}

// adopt takes over what older versions left in the shards that we have gained.
func (r *run) adopt(ctx context.Context) bool {
	held := r.d.o.Shards.Held()
	for _, s := range held.Staying() {
		fence, sure := r.d.o.Shards.Fence(s)
		if !sure || r.adopted[s] == fence {
			continue
		}
		for n := adoptAtOnce; n == adoptAtOnce; {
			call, cancel := context.WithTimeout(ctx, storeTimeout)
			var err error
			n, err = r.d.store.AdoptOutbox(call, fence, adoptAtOnce)
			cancel()
			if fault.Is(err, fault.Fenced) {
				break
			}
			if ctx.Err() != nil || r.trouble.note(err) {
				return false
			}
		}
		r.adopted[s] = fence
	}
	return true
}

// follow reads the subscriptions anew when it is time, or when something waits for an unknown one.
func (r *run) follow(ctx context.Context, counts []delivery.Count, now time.Time) bool {
	news := now.Sub(r.told) >= r.d.o.Poll
	for _, c := range counts {
		known := c.Subscription == subscription.WordPressCom || r.queues[c.Subscription] != nil
		news = news || c.Pending > 0 && !known && now.Sub(r.told) > time.Second
	}
	if !news {
		return true
	}
	call, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	all, err := r.d.store.Told(call)
	if ctx.Err() != nil || r.trouble.note(err) {
		return false
	}
	r.told = now
	there := map[int64]bool{subscription.WordPressCom: true}
	for _, s := range all {
		there[s.ID] = true
		switch q := r.queues[s.ID]; {
		case q == nil:
			r.open(s, nil)
		case q.ended():
			delete(r.queues, s.ID)
			r.open(s, nil)
		default:
			q.follow(s)
		}
	}
	for id, q := range r.queues {
		if !there[id] {
			if q.close(); q.ended() {
				delete(r.queues, id)
			}
		}
	}
	r.d.subscribed(all)
	return true
}

// open starts the queue of a subscription.
func (r *run) open(s subscription.Subscription, c channelOf) {
	q := newQueue(r, s, c)
	r.queues[s.ID] = q
	r.wg.Go(q.loop)
}

// drain waits at most drainTime for the deliveries under way, and records their results.
func (r *run) drain() {
	sends := time.AfterFunc(drainTime, r.stopSends)
	records := time.AfterFunc(drainTime+recordTime, r.stopRecords)
	for _, q := range r.queues {
		q.close()
	}
	r.wg.Wait()
	sends.Stop()
	records.Stop()
	r.stopSends()
	r.stopRecords()
	if n := r.recorder.lost.Load(); n > 0 {
		r.d.o.Log.Warn("stopped with unrecorded deliveries; they will be repeated", "notifications", n)
	}
}

// trouble knows whether the store works. After a failure nothing is delivered until it does; it
// is tried again with back-off. Its methods are safe for concurrent use.
type trouble struct {
	d    *Deliverer
	edge obs.Edge
	bad  atomic.Bool

	mu       sync.Mutex
	failures int
	retry    time.Time
}

// note records the result of a call, and reports whether it failed.
func (t *trouble) note(err error) bool {
	t.edge.Note(err)
	t.d.setOutboxError(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.failures, t.retry = 0, time.Time{}
		t.bad.Store(false)
		return false
	}
	t.failures++
	again := backoff.Policy{Base: t.d.o.Base, Most: max(t.d.o.Base, t.d.o.Poll)}
	t.retry = time.Now().Add(again.Wait(t.failures, t.d.o.Random()))
	t.bad.Store(true)
	return true
}

// wait returns how long to wait, or until the next try while the store fails.
func (t *trouble) wait(usual time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.retry.IsZero() {
		return usual
	}
	return max(0, time.Until(t.retry))
}
