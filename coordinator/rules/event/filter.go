package event

import (
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// Filter admits events. Fields that are empty do not restrict; of the others each must admit,
// and a list admits what one of its values does. The names in JSON are stored.
type Filter struct {
	// Types are the events; empty means all changes of status.
	Types []Type         `json:"types,omitempty"`
	Sites []check.SiteID `json:"sites,omitempty"`
	Blogs []check.BlogID `json:"blogs,omitempty"`
	Tags  []string       `json:"tags,omitempty"`
	// Hosts are hosts as record.LocateHost returns them: where a site's URL leads, with a port
	// if that matters.
	Hosts []record.Location `json:"hosts,omitempty"`
	// Advisories are the remarks, of the events about them.
	Advisories []string `json:"advisories,omitempty"`
}

// NeedsTags reports whether a site's tags matter.
func (f *Filter) NeedsTags() bool { return len(f.Tags) > 0 }

// Admits reports whether an event passes. A test passes every filter.
func (f *Filter) Admits(e *Event) bool {
	switch {
	case e.Type == Test:
		return true
	case len(f.Types) == 0:
		if e.Status == nil {
			return false
		}
	case !slices.Contains(f.Types, e.Type):
		return false
	}
	if e.Advisory != nil && len(f.Advisories) > 0 && !slices.Contains(f.Advisories, e.Advisory.Advisory) {
		return false
	}
	return f.admitsSite(e.Site)
}

// admitsSite reports whether the site of an event passes; none passes where all sites do.
func (f *Filter) admitsSite(s *Site) bool {
	if s == nil {
		return len(f.Sites) == 0 && len(f.Blogs) == 0 && len(f.Tags) == 0 && len(f.Hosts) == 0
	}
	switch {
	case len(f.Sites) > 0 && !slices.Contains(f.Sites, s.ID):
		return false
	case len(f.Blogs) > 0 && !slices.Contains(f.Blogs, s.BlogID):
		return false
	case len(f.Tags) > 0 && !slices.ContainsFunc(f.Tags, func(t string) bool { return slices.Contains(s.Tags, t) }):
		return false
	case len(f.Hosts) == 0:
		return true
	}
	at := record.Locate(s.URL)
	return slices.ContainsFunc(f.Hosts, at.Fits)
}
