package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// SiteList selects the sites to list.
type SiteList struct {
	// Blog, when not 0, is the blog of the sites.
	Blog int64
	// State, when specified, is the state of the sites.
	State monitorv1.SiteState
	// Host and URL, when not empty, are those of the sites.
	Host, URL string
	// Limit is the maximum number of sites; 0 means all.
	Limit int
}

// ParseState returns the state with a name, as confirmed-down; an empty name means any. A
// state that cannot be listed is not ok.
func ParseState(name string) (state monitorv1.SiteState, ok bool) {
	if name == "" {
		return monitorv1.SiteState_SITE_STATE_UNSPECIFIED, true
	}
	number, ok := monitorv1.SiteState_value["SITE_STATE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
	switch state = monitorv1.SiteState(number); state {
	case monitorv1.SiteState_SITE_STATE_UNSPECIFIED, monitorv1.SiteState_SITE_STATE_NEVER_CHECKED,
		monitorv1.SiteState_SITE_STATE_UP, monitorv1.SiteState_SITE_STATE_PAUSED:
		return state, false
	}
	return state, ok
}

// ListSites prints sites in a table.
func (c Client) ListSites(ctx context.Context, l SiteList) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	rows, next, err := list(l.Limit, func(size int32, token string) ([]*monitorv1.Site, string, error) {
		resp, err := sites.ListSites(ctx, &monitorv1.ListSitesRequest{
			PageSize: size, PageToken: token, BlogId: l.Blog, State: l.State, Host: l.Host, Url: l.URL,
		})
		return resp.GetSites(), resp.GetNextPageToken(), err
	})
	if err != nil {
		return c.explain(err)
	}
	all := &monitorv1.ListSitesResponse{Sites: rows, NextPageToken: next}
	return c.show(all, func(w io.Writer) error { return format.Sites(w, all) })
}

// ExplainSite prints the reasons for a site's status, now or at a time that is not zero.
func (c Client) ExplainSite(ctx context.Context, site int64, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := &monitorv1.ExplainSiteRequest{SiteId: site}
	if !at.IsZero() {
		req.At = timestamppb.New(at)
	}
	resp, err := monitorv1.NewSiteServiceClient(c.Conn).ExplainSite(ctx, req)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp.GetExplanation(), func(w io.Writer) error { return format.Explanation(w, resp.GetExplanation()) })
}
