package record

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
)

// Outage is one outage.
type Outage struct {
	ID     int64
	SiteID check.SiteID
	BlogID check.BlogID
	Bucket check.BucketID
	URL    string
	// Status is the status last reported for the outage; running when it is over.
	Status check.Status
	// End is zero while the outage is open; EndReason is the reason of its end.
	Start, Confirmed, End time.Time
	EndReason             EndReason
	// Suspended is since when the outage is open while its site is paused; else zero.
	// PausedFor is how long the site was paused before that, which is no downtime.
	Suspended  time.Time
	PausedFor  time.Duration
	Failure    check.FailureKind
	Reason     string
	HTTPStatus int
	Rule       quorum.Rule
	Round      uint8
	// Relapses is that of the newest change.
	Relapses uint16
	Ballot   *Ballot
	Checks   []LocalCheck
	// MaintenanceID is the maintenance during which the failure began; 0 for none.
	MaintenanceID int64
	// Maintenance is when the site was in maintenance during the outage: as of its end, or of the
	// reading while it is open.
	Maintenance []uptime.Span
	// Regions are those of Change.Regions when it opened; none when that was not noted.
	Regions []string
}

// OutageMark is a position in a list of outages: right after the outage that it names.
type OutageMark struct {
	Confirmed time.Time
	ID        int64
}

// Mark returns the position right after an outage.
func (o Outage) Mark() OutageMark { return OutageMark{Confirmed: o.Confirmed, ID: o.ID} }

// EndReason is the reason of an outage's end. A newer program may have written unknown ones.
type EndReason uint8

// The reasons are numbered as in outage.proto. The numbers never change: they are stored.
const (
	// EndNone: the outage is not over.
	EndNone EndReason = iota
	// EndRecovered: the site was up again; WordPress.com gets a notification.
	EndRecovered
	// EndDeleted: the site's row was deleted; no notification is sent.
	EndDeleted
	// EndChanged: the site got another URL; no notification is sent.
	EndChanged
)
