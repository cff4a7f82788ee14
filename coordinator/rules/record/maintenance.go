package record

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Maintenance is a plan to work on sites: in its windows nobody is told that one of them fails.
type Maintenance struct {
	ID int64
	// Name and Reason are for people.
	Name, Reason string
	// Covers says which sites are meant.
	Covers Covers
	// Start is the beginning of the first window; its time of day in Zone is that of all.
	// Duration is the length of each.
	Start    time.Time
	Duration time.Duration
	// Rule is when there are further windows, as RRULE in RFC 5545 without "RRULE:"; empty for
	// one window. Zone is the name of the time zone in which it is meant; empty means UTC.
	Rule, Zone string
	// Cut is when somebody has ended the window that was open then; zero if nobody has.
	Cut time.Time
	// Creator made it at Created; Updated is when it was last changed.
	Creator          string
	Created, Updated time.Time
	// Revision rises with each change.
	Revision int64
}

// Covers says which sites a maintenance is of: one of its fields is set.
type Covers struct {
	SiteID check.SiteID
	Tag    string
	// Host is as LocateHost returns it.
	Host Location
}
