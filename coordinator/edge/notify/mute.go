package notify

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// withdrawAtOnce bounds the notifications that one transaction withdraws.
const withdrawAtOnce = 200

// countUntoldEvery is the time between two counts of the untold sites, of which there may
// be many.
const countUntoldEvery = 15 * time.Second

// countUntold counts the untold sites, unless the last count is recent.
func (r *run) countUntold(ctx context.Context, now time.Time, shards []shard.ID) bool {
	if now.Sub(r.untoldCounted) < countUntoldEvery {
		return true
	}
	n := 0
	if len(shards) > 0 {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		var err error
		if n, err = r.d.store.CountUntold(call, shards); ctx.Err() != nil || r.trouble.note(err) {
			return false
		}
	}
	r.untoldCounted = now
	r.d.untold(n)
	return true
}

// mute mutes each of some shards once a term, and again when notifications of them are
// pending.
func (r *run) mute(ctx context.Context, shards []shard.ID) {
	withdrawn := 0
	for _, s := range shards {
		fence, sure := r.d.o.Shards.Fence(s)
		if !sure || r.withdrawable == 0 && r.muted[s] == fence {
			continue
		}
		n, err := r.muteShard(ctx, fence)
		if withdrawn += n; fault.Is(err, fault.Fenced) {
			continue // the next owner decides
		}
		if ctx.Err() != nil || r.trouble.note(err) {
			return
		}
		r.muted[s] = fence
	}
	r.withdrawable = 0 // until the next count
	if withdrawn > 0 {
		r.d.o.Log.Warn("pending notifications withdrawn; their sites are reported once delivery is on", "notifications", withdrawn)
		r.untoldCounted = time.Time{}
		r.countUntold(ctx, time.Now(), shards)
		r.d.withdrawn(withdrawn)
	}
}

// muteShard mutes one shard and withdraws its notifications in batches.
func (r *run) muteShard(ctx context.Context, fence shard.Fence) (withdrawn int, err error) {
	for {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		n, err := r.d.store.Mute(call, fence, withdrawAtOnce)
		cancel()
		if withdrawn += n; err != nil || n < withdrawAtOnce {
			return withdrawn, err
		}
	}
}
