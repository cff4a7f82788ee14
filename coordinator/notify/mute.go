package notify

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// withdrawAtOnce is how many notices one transaction takes off.
const withdrawAtOnce = 200

// mute says of each shard, once a tenure, that nobody is told, and withdraws what waits.
func (r *run) mute(ctx context.Context) {
	withdrawn := 0
	for _, s := range r.d.owned() {
		fence, sure := r.d.o.Shards.Fence(s)
		if !sure || r.pending == 0 && r.muted[s] == fence {
			continue
		}
		n, err := r.muteShard(ctx, fence)
		if withdrawn += n; fault.Is(err, fault.Fenced) {
			continue // its next owner decides
		}
		if ctx.Err() != nil || r.outboxFailed(err) {
			return
		}
		r.muted[s] = fence
	}
	r.pending = 0 // until they are counted again
	if withdrawn > 0 {
		r.d.o.Log.Warn("notices that waited were withdrawn; their sites are told about when delivery is switched on", "notices", withdrawn)
		r.count(ctx, time.Now())
	}
}

// muteShard withdraws what waits in a shard, some at a time.
func (r *run) muteShard(ctx context.Context, fence shard.Fence) (withdrawn int, err error) {
	for {
		call, cancel := context.WithTimeout(ctx, outboxTimeout)
		n, err := r.d.outbox.Mute(call, fence, withdrawAtOnce)
		cancel()
		if withdrawn += n; err != nil || n < withdrawAtOnce {
			return withdrawn, err
		}
	}
}
