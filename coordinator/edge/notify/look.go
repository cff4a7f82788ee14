package notify

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// read fills ready. The store still holds the deliveries under way, so read asks for more than
// those to find others among them.
func (q *queue) read() bool {
	now := time.Now()
	q.looked, q.stale, q.fresh = now, false, false
	q.retries = slices.DeleteFunc(q.retries, func(t time.Time) bool { return !t.After(now) })
	ok := q.readDue(now, q.shards, false)
	if ok && !q.alive.IsZero() && !now.Before(q.alive) {
		q.alive = now.Add(q.r.d.o.Poll)
		ok = q.readDue(now, q.r.d.o.Shards.Held().Staying(), true)
	}
	return ok
}

func (q *queue) readDue(now time.Time, shards []shard.ID, alive bool) bool {
	if len(shards) == 0 {
		return true
	}
	under := map[shard.ID]int{}
	for _, s := range q.busy {
		under[s]++
	}
	ask := store.DueQuery{
		Subscription: q.sub.ID, Now: now, Alive: alive, Changes: q.sub.Kind == subscription.WPCOM || q.sub.Kind == subscription.WPCOMLegacy,
		Skip: func(_, lane int64) bool { _, busy := q.busy[lane]; return busy },
	}
	least := max(leastLook, 2*q.room()/len(shards))
	held := q.r.d.o.Shards.Held()
	for _, s := range shards {
		if held[s].Sure && (q.sub.ID != subscription.WordPressCom || !q.r.d.silent(held[s])) {
			ask.Looks = append(ask.Looks, store.Look{Shard: s, Limit: min(least+under[s], 300)})
		}
	}
	call, cancel := context.WithTimeout(q.r.sends, storeTimeout)
	defer cancel()
	list, err := q.r.d.store.DueDeliveries(call, ask)
	if q.r.sends.Err() != nil || q.r.trouble.note(err) {
		q.stale = true
		return false
	}
	q.stale = q.stale || len(list) >= least
	q.ready = append(q.ready, list...)
	if q.sub.ID == subscription.WordPressCom {
		q.r.d.foundFailing(list)
	}
	return true
}
