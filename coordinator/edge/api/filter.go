package api

import (
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// filter is what ListSites restricts sites by, beside their state. A zero field restricts
// nothing.
type filter struct {
	blog check.BlogID
	at   record.Location
	// none means that no site can fit: the URL that is asked for has another host.
	none bool
}

func filterOf(req *monitorv1.ListSitesRequest) (f filter, err error) {
	f.blog = check.BlogID(req.GetBlogId())
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
	return f, nil
}

// fits reports whether a site is one that is asked for.
func (f filter) fits(blog check.BlogID, url string) bool {
	if f.none || f.blog != 0 && f.blog != blog {
		return false
	}
	return f.at == (record.Location{}) || record.Locate(url).Fits(f.at)
}
