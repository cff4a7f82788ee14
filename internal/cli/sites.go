package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
)

// SiteList selects the sites to list.
type SiteList struct {
	// Filter has the filters and the order; its page is not read.
	Filter *monitorv1.ListSitesRequest
	// Limit is the maximum number of sites; 0 means all.
	Limit int
}

// ParseState returns the state with a name, as confirmed-down; an empty name means any.
func ParseState(name string) (state monitorv1.SiteState, ok bool) {
	if name == "" {
		return monitorv1.SiteState_SITE_STATE_UNSPECIFIED, true
	}
	number, ok := monitorv1.SiteState_value["SITE_STATE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
	return monitorv1.SiteState(number), ok && number != 0
}

// ListSites prints sites in a table.
func (c Client) ListSites(ctx context.Context, l SiteList) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	return list(ctx, c, listing[*monitorv1.Site]{
		name: "sites", titles: format.SiteTitles(), cells: format.SiteCells, limit: l.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Site, string, error) {
			req := &monitorv1.ListSitesRequest{}
			if l.Filter != nil {
				req = proto.Clone(l.Filter).(*monitorv1.ListSitesRequest)
			}
			req.PageSize, req.PageToken = size, token
			resp, err := call(ctx, req, sites.ListSites)
			return resp.GetSites(), resp.GetNextPageToken(), err
		},
	})
}

// GetSites prints sites, each with all that is known of it.
func (c Client) GetSites(ctx context.Context, ids IDs) error {
	sites := monitorv1.NewSiteServiceClient(c.Conn)
	out := c.sites(ids.Many)
	if !ids.Many && c.Output != NDJSON {
		out = onePrinter{c}
	}
	return c.each(ctx, ids, out, func(ctx context.Context, id int64) error {
		resp, err := call(ctx, &monitorv1.GetSiteRequest{SiteId: id}, sites.GetSite)
		if err != nil {
			return err
		}
		return out.add(resp.GetSite())
	})
}

// ExplainSite prints the reasons for a site's status, now or at a time that is not zero.
func (c Client) ExplainSite(ctx context.Context, site int64, at time.Time) error {
	req := &monitorv1.ExplainSiteRequest{SiteId: site}
	if !at.IsZero() {
		req.At = timestamppb.New(at)
	}
	resp, err := call(ctx, req, monitorv1.NewSiteServiceClient(c.Conn).ExplainSite)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp.GetExplanation(), func(w io.Writer) error { return format.Explanation(w, resp.GetExplanation()) })
}

// sites returns a printer of sites. As JSON one site is the site, and several are a list.
func (c Client) sites(many bool) printer[*monitorv1.Site] {
	if c.Output == JSON && !many {
		return onePrinter{c}
	}
	return newPrinter(c, listing[*monitorv1.Site]{name: "sites", titles: format.SiteTitles(), cells: format.SiteCells})
}

// onePrinter prints all that is known of one site.
type onePrinter struct{ c Client }

func (p onePrinter) add(s *monitorv1.Site) error {
	return p.c.show(s, func(w io.Writer) error { return format.Site(w, s) })
}
func (p onePrinter) flush() error     { return nil }
func (p onePrinter) end(string) error { return nil }

// DescribeSites returns a line for each of the first sites, with its URL, for a question to people.
func (c Client) DescribeSites(ctx context.Context, ids []int64) (lines []string, err error) {
	const shown = 10
	resp, err := call(ctx, &monitorv1.BatchGetSitesRequest{SiteIds: ids[:min(len(ids), shown)]}, monitorv1.NewSiteServiceClient(c.Conn).BatchGetSites)
	if err != nil {
		return nil, c.explain(err)
	}
	for _, s := range resp.GetSites() {
		lines = append(lines, fmt.Sprintf("%d  %s", s.GetSiteId(), format.Printable(s.GetUrl())))
	}
	if len(lines) == 0 {
		return nil, fault.New(fault.NotFound, "there is no such site")
	}
	if len(ids) > shown {
		lines = append(lines, fmt.Sprintf("and %d more", len(ids)-shown))
	}
	return lines, nil
}
