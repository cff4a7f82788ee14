package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Standings finds sites by their status.
type Standings interface {
	// FindStanding reads a page of ids of sites that may fit q: each site that fits is among
	// them, and others may be, also such that are gone. It reads a bounded number of rows, so
	// that a page that is not the last one may be short, or empty. What another program has
	// written into the legacy row is found once IndexHosts has been there.
	FindStanding(ctx context.Context, q StandingQuery) (StandingPage, error)
}

// StandingQuery selects sites whose status on record, or known to WordPress.com, is Status, if
// that is not nil, or has begun at Since or later, if that is not zero. One of the two must be
// set; when both are, the page may be of either.
type StandingQuery struct {
	// After is the last id of the previous page, see StandingPage; Descending means by falling
	// id.
	After      check.SiteID
	Descending bool
	// Limit is the page's size, 1..10000.
	Limit  int
	Status *check.Status
	Since  time.Time
}

// StandingPage is a page of ids, in order.
type StandingPage struct {
	IDs []check.SiteID
	// Next is where the next page begins, after this id; 0 when there is none. It need not be
	// that of a site.
	Next check.SiteID
}
