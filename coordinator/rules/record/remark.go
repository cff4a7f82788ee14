package record

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Remark is the beginning or the end of a remark about a site that is up.
type Remark struct {
	SiteID   check.SiteID
	BlogID   check.BlogID
	Bucket   check.BucketID
	URL      string
	Advisory check.Advisory
	// Open means that it begins, at At.
	Open bool
	At   time.Time
	// Tags are those of the site when it opened. The store fills them in.
	Tags []string
	// Detail is for people.
	Detail string
	// CertificateExpire is when the site's certificate ends; zero unless the remark is about that.
	CertificateExpire time.Time
	// Paused means that the site is paused, as far as that was asked: see store.Remarks.
	Paused bool
}

// RemarkMark is the place of a remark in a list: right after the remark that it names.
type RemarkMark struct {
	SiteID   check.SiteID
	Advisory check.Advisory
}

// Mark returns the place right after a remark.
func (r Remark) Mark() RemarkMark { return RemarkMark{r.SiteID, r.Advisory} }
