package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// IncidentShard is the shard whose owner looks for incidents, for all coordinators.
const IncidentShard = shard.ID(0)

// Incidents keeps the incidents. What writes takes the fence of IncidentShard, and is Fenced when
// the caller no longer owns it.
type Incidents interface {
	// WriteIncident writes a change of an incident with its event. It may take several
	// transactions, of which the last has the event: writing the change again does no harm.
	WriteIncident(ctx context.Context, f shard.Fence, c incident.Change) error
	// RecentIncidents reads the incidents that go on or ended after a time, with their members, and
	// the number of the next one.
	RecentIncidents(ctx context.Context, since time.Time) (next int64, all []incident.Written, err error)
	// KeepIncidentPlace notes up to where events were looked at; IncidentPlace reads it, ok is
	// false when nobody has looked yet.
	KeepIncidentPlace(ctx context.Context, f shard.Fence, at event.Positions) error
	IncidentPlace(ctx context.Context) (at event.Positions, ok bool, err error)

	// Incident reads one incident. NotFound when there is none.
	Incident(ctx context.Context, id int64) (incident.Incident, error)
	// ListIncidents reads a page, the newest first: those before an id, unless that is 0.
	ListIncidents(ctx context.Context, before int64, limit int, openOnly bool) ([]incident.Incident, error)
	// IncidentMembers reads a page of the members of an incident after a site, by rising site.
	IncidentMembers(ctx context.Context, id int64, after check.SiteID, limit int) ([]incident.Member, error)
	// ExpireIncidents deletes incidents that ended before a time with their members, at most
	// limit members or incidents, and returns how many.
	ExpireIncidents(ctx context.Context, before time.Time, limit int) (int, error)
}
