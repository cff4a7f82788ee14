package record

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// Change is one status change to commit.
type Change struct {
	// Key is the idempotency key, unique to this change, 1..64 ASCII bytes.
	Key    string
	SiteID check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	// From and To are equal when an outage opens of a site whose status was inherited: it
	// gets no notification, and Since stays the time of the status.
	From, To check.Status
	// Since is when From began; zero when the status has never changed.
	Since time.Time
	// Start is the end of the outage's first failing check; At is the moment of the change.
	Start, At time.Time
	// Relapses counts the recoveries of the outage that did not last.
	Relapses uint16
	// LastCheck is the end of the newest check.
	LastCheck time.Time
	// Cause is the failure that opened the outage; it is unused when To is running.
	Cause check.Observation
	// Checks are the checkers' observations that led here, the oldest first.
	Checks []LocalCheck
	// Ballot is the deciding ballot, nil when none was held.
	Ballot *Ballot
	// Muted changes get no notification, and their From is the site's recorded status. In
	// other changes From is the status that WordPress.com knows.
	Muted bool `json:",omitempty"`
	// Trial changes are Muted ones beside v1: their From is our own verdict (Site.Ours), and
	// the legacy row, which is v1's, is not written.
	Trial bool `json:",omitempty"`
	// Maintenance, if not 0, is the maintenance because of which nobody is told: the change gets
	// no notification, and its From is the site's recorded status. A commit may set it of others.
	Maintenance int64 `json:",omitempty"`
	// Trace is the step of a trace that decided the change; zero when none is recorded.
	Trace traceid.Context `json:",omitzero"`
}

// Regions lists the regions from which the failure was seen, by name: those of the checkers whose
// checks found the site down, and of the verifliers that voted so.
func (c Change) Regions() []string {
	var all []string
	for _, k := range c.Checks {
		if k.Observation.Outcome == check.OutcomeDown {
			all = append(all, k.Region)
		}
	}
	if c.Ballot != nil {
		for _, v := range c.Ballot.Votes {
			if v.Value == quorum.Down {
				all = append(all, v.Region)
			}
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// Committed is what the commit of a change wrote.
type Committed struct {
	// OutageID is the outage that was opened, confirmed or closed; 0 when a site recovered
	// from a status that another program had set.
	OutageID int64
	// TransitionID is the id of the transition, and of its notification if it has one.
	TransitionID int64
	// Maintenance is the maintenance because of which nobody is told; 0 for none.
	Maintenance int64
}
