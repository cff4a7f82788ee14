package api

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// tellTimeout bounds reading a site that was edited.
const tellTimeout = 2 * time.Second

// tell has the engine take over a site that was edited, as it is stored now. Whoever edits
// a site tells of it afterwards. Of several who do so at once the engine believes the one
// that began last, and that one has read what all of them have stored.
//
// A site of another's shard is its owner's to read, within a minute; so is one of ours
// while the database is away.
func (o Options) tell(ctx context.Context, id check.SiteID) {
	// The edit is made, whether its caller still waits or not.
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
