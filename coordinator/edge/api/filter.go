package api

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// filter is what ListSites restricts sites by. A zero field restricts nothing.
type filter struct {
	blog   check.BlogID
	at     record.Location
	tag    string
	bucket *check.BucketID
	// status, since and state are of what a coordinator believes at this moment; what is stored
	// only leads to them.
	status *check.Status
	since  time.Time
	state  monitorv1.SiteState
	// none means that no site can fit: the URL that is asked for has another host.
	none bool
}

func filterOf(req *monitorv1.ListSitesRequest) (f filter, err error) {
	f = filter{blog: check.BlogID(req.GetBlogId()), tag: req.GetTag(), state: req.GetState()}
	if req.GetHost() != "" {
		if f.at, err = record.LocateHost(req.GetHost()); err != nil {
			return f, fault.InvalidField("host", "must be a host, with or without a port: %w", err)
		}
	}
	if req.GetUrl() != "" {
		page := record.Locate(req.GetUrl())
		if page.Page == "" {
			return f, fault.InvalidField("url", "must be an http or https URL")
		}
		f.at, f.none = page, !page.Fits(f.at)
	}
	if req.Bucket != nil {
		f.bucket = new(check.BucketID(req.GetBucket()))
	}
	if req.Status != nil {
		f.status = new(check.Status(req.GetStatus()))
	}
	if req.ChangedSince != nil {
		if req.GetChangedSince().CheckValid() != nil {
			return f, fault.InvalidField("changed_since", "must be a time from the year 1 to 9999")
		}
		f.since = req.GetChangedSince().AsTime()
	}
	return f, nil
}

// fits reports whether a site is one that is asked for, as it stands now.
func (f filter) fits(site *monitorv1.Site) bool {
	return f.fitsRow(check.BlogID(site.GetBlogId()), site.GetUrl()) &&
		(f.tag == "" || slices.Contains(site.GetTags(), f.tag)) &&
		(f.bucket == nil || uint32(*f.bucket) == site.GetBucket()) &&
		f.fitsNow(site)
}

// fitsRow reports whether the blog and the URL are those that are asked for.
func (f filter) fitsRow(blog check.BlogID, url string) bool {
	if f.none || f.blog != 0 && f.blog != blog {
		return false
	}
	return f.at == (record.Location{}) || record.Locate(url).Fits(f.at)
}

// fitsNow reports whether the status and the state are those that are asked for.
func (f filter) fitsNow(site *monitorv1.Site) bool {
	if f.status != nil && int32(*f.status) != site.GetStatusId() {
		return false
	}
	if !f.since.IsZero() && (site.GetLastStatusChangeTime() == nil || site.GetLastStatusChangeTime().AsTime().Before(f.since)) {
		return false
	}
	return f.state == monitorv1.SiteState_SITE_STATE_UNSPECIFIED || f.state == site.GetState()
}

// isOfNow reports whether a site fits only as it stands at this moment.
func (f filter) isOfNow() bool {
	return f.status != nil || !f.since.IsZero() || f.state != monitorv1.SiteState_SITE_STATE_UNSPECIFIED
}

// descending is the order by falling id.
const descending = "site_id desc"

// view is what a page token belongs to: the order and the filters of a list. It is a hash of them,
// empty for the default order without filters, whose tokens are those of earlier versions.
type view string

// viewBytes is the length of the hash.
const viewBytes = 9

func viewOf(req *monitorv1.ListSitesRequest) view {
	asked := proto.CloneOf(req)
	asked.PageSize, asked.PageToken = 0, ""
	if asked.GetOrderBy() != descending {
		asked.OrderBy = ""
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(asked)
	if err != nil || len(text) == 0 {
		return ""
	}
	sum := sha256.Sum256(text)
	return view(base64.RawURLEncoding.EncodeToString(sum[:viewBytes]))
}

// token returns the page token for the sites after an id.
func (v view) token(id check.SiteID) string {
	if v == "" {
		return token(int64(id))
	}
	return token(int64(id)) + "." + string(v)
}

// parse reads a page token that the view has given.
func (v view) parse(text string) (check.SiteID, error) {
	first, rest, hasView := strings.Cut(text, ".")
	id, err := parseToken(first)
	switch {
	case err != nil || hasView && (id == 0 || len(rest) != base64.RawURLEncoding.EncodedLen(viewBytes)):
		return 0, badToken()
	case id != 0 && rest != string(v):
		return 0, fault.InvalidField("page_token", "belongs to another order or other filters: repeat those of the page that it came with")
	}
	return check.SiteID(id), nil
}

// token returns the page token for the rows after this id.
func token(id int64) string { return strconv.FormatInt(id, 36) }

func parseToken(t string) (int64, error) {
	if t == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(t, 36, 64)
	if err != nil || id <= 0 || token(id) != t {
		return 0, badToken()
	}
	return id, nil
}

func badToken() error { return fault.InvalidField("page_token", "is not a token of this service") }
