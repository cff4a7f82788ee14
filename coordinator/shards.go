package coordinator

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/checkpoint"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/coordinator/state/loader"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
)

// tenant is what is done when shards come and go.
type tenant struct {
	shards     shard.Holder
	loader     *loader.Loader
	committer  *committer.Committer
	checkpoint *checkpoint.Checkpoint
	logbook    *logbook.Logbook // nil when no history is kept
	notify     *notify.Deliverer
}

// Gained has the sites of a shard that is now ours loaded. It does not wait for that:
// shards are loaded together.
func (t tenant) Gained(s shard.ID) {
	t.loader.Gained(s)
	t.notify.Wake()
}

// Lost forgets the sites of a shard that is ours no more. One that is handed over in
// order is ours until it returns: what was decided and is known of its sites is written
// first, so that the next owner finds it.
func (t tenant) Lost(s shard.ID) {
	if _, ours := t.shards.Fence(s); ours {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		t.committer.Await(ctx, s)
		t.checkpoint.Flush(ctx)
		if t.logbook != nil {
			t.logbook.Flush(ctx, s)
		}
	}
	t.loader.Lost(s)
	t.committer.Forget(s)
}

// Settled has the loading begin.
func (t tenant) Settled() { t.loader.Settled() }
