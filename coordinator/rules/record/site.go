package record

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Site is a row of the legacy table, with our settings.
type Site struct {
	ID     check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	Paused bool
	// Interval is the time between checks, whole minutes 1..255.
	Interval time.Duration
	// Status is the last committed status, StatusSince when it began (zero: never changed).
	Status      check.Status
	StatusSince time.Time
	// OutageID is the open outage of this URL, 0 when there is none.
	OutageID int64
	// Inherited means that Status was reported of an earlier URL of the site, whose outage
	// has ended or is about to. OutageID is 0 then, and Status not running.
	Inherited bool
	// Ours, if not nil, is our own verdict: Status is another program's, by the legacy row.
	Ours *Verdict
	// Untold, if not nil, is what WordPress.com knows. It may differ from Status because the
	// newest change was muted, or because another program has reported a status since.
	Untold   *Known
	Settings check.Settings
	// Tags are the caller's labels, sorted. Readings of many sites for the engine have none.
	Tags []string
	// PublicBadges means that everybody may see the site's badges.
	PublicBadges bool
}

// Verdict is a status and when it began; zero when it has never changed.
type Verdict struct {
	Status check.Status
	Since  time.Time
}

// Known is what WordPress.com knows of a site.
type Known struct {
	Status check.Status
	// Since is when Status began; zero when it has never changed.
	Since time.Time
	// Unsure means that a notification was withdrawn that WordPress.com may have received.
	// Status is running then, and the next good check must be reported as well.
	Unsure bool
}

// Span is a range of ids, both included.
type Span struct{ First, Last check.SiteID }

// Has reports whether the span includes an id.
func (s Span) Has(id check.SiteID) bool { return s.First <= id && id <= s.Last }

// Snapshot is a snapshot of a site in trouble.
type Snapshot struct {
	SiteID check.SiteID
	Bucket check.BucketID
	// At is the moment of the snapshot.
	At time.Time
	// URL is the URL that was checked: the snapshot does not apply to another one.
	URL string
	// State is the engine's state, opaque here, at most MaxSnapshotState bytes.
	State []byte
}

// MaxSnapshotState bounds the bytes of a snapshot's state.
const MaxSnapshotState = 64 << 10
