package event

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// OfRemark returns the event of a remark that begins or ends, and that was open since a time.
// Its sequence is the caller's to set.
func OfRemark(r record.Remark, since time.Time) Event {
	kind, what := AdvisoryClosed, "closed"
	if r.Open {
		kind, what = AdvisoryOpened, "opened"
	}
	return Event{
		// A remark opens and closes once at a time.
		ID: fmt.Sprintf("%d-a%d-%s-%x", r.SiteID, r.Advisory, what, r.At.UnixMilli()), Type: kind, Time: At(r.At),
		Site: &Site{ID: r.SiteID, BlogID: r.BlogID, URL: r.URL, Tags: r.Tags},
		Advisory: &AdvisoryChange{
			Advisory: "ADVISORY_" + r.Advisory.String(), Detail: r.Detail, Open: At(since), CertificateExpire: At(r.CertificateExpire),
		},
	}
}
