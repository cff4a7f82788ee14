package coordinator

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/shard"
)

// gained has the sites of a shard that is now ours loaded. It does not wait for that:
// shards are loaded together.
func (c *Coordinator) gained(s shard.ID) {
	c.intake.Gained(s)
	c.notify.Poke()
}

// lost forgets the sites of a shard that is ours no more. One that is handed over in
// order is ours until it returns: what was decided and is known of its sites is written
// first, so that the next owner finds it.
func (c *Coordinator) lost(s shard.ID) {
	if _, ours := c.ownership.Fence(s); ours {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		c.ledger.Await(ctx, s)
		c.memos.Flush(ctx)
	}
	c.intake.Lost(s)
	c.ledger.Forget(s)
}
