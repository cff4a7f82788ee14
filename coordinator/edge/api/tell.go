package api

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// tellTimeout bounds the read of an edited site.
const tellTimeout = 2 * time.Second

// tell passes an edited site to the engine, as it is stored now. Every edit ends with tell.
// When several calls overlap, the engine keeps the result of the one that began last; its
// read has seen the edits of all of them.
//
// tell does nothing for a site in a peer's shard, or while the database is away; the loader
// of the owner then finds the edit within a minute.
func (o Options) tell(ctx context.Context, id check.SiteID) {
	// The edit is stored, whether or not its caller still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	began := time.Now()
	row, err := o.Store.Site(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		o.Engine.Remove(began, id)
	case err == nil && o.Shards.Held().Stays(shard.Of(row.Bucket)):
		o.Engine.Put(began, row)
		o.Engine.Soon(began, id)
	}
}
