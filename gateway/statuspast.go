package gateway

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gateway/statuspage"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// oneIncident is how long after the first of some outages another one begins that is told with it.
const oneIncident = 5 * time.Minute

// together makes incidents of outages: those that began within some minutes, while the first was not
// over, are told as one, the latest first. Why they fell together is for the team.
func together(outages []statuspage.Outage) (all []statuspage.Outage) {
	slices.SortStableFunc(outages, func(a, b statuspage.Outage) int { return a.Start.Compare(b.Start) })
	for _, o := range outages {
		if n := len(all); n > 0 && o.Start.Sub(all[n-1].Start) <= oneIncident && o.Start.Before(all[n-1].End) {
			last := &all[n-1]
			if !slices.Contains(last.Names, o.Names[0]) {
				last.Names = append(last.Names, o.Names[0])
			}
			if o.End.After(last.End) {
				last.End = o.End
			}
			continue
		}
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(a, b statuspage.Outage) int { return b.End.Compare(a.End) })
	return all
}

// works returns the windows of the maintenances that cover a site of the page, by its id, its host
// or one of its tags. What they are called is for the team.
func (s *statusView) works(ctx context.Context, sites []*monitorv1.Site, now time.Time) (all []statuspage.Work, err error) {
	asked := &monitorv1.ListMaintenancesRequest{PageSize: 1000}
	for range mostPages {
		resp, err := monitorv1.NewMaintenanceServiceClient(s.conn()).ListMaintenances(ctx, asked)
		if err != nil {
			return nil, err
		}
		for _, m := range resp.GetMaintenances() {
			w := m.GetWindow()
			if w == nil || !w.GetEndTime().AsTime().After(now) || !slices.ContainsFunc(sites, func(row *monitorv1.Site) bool { return covers(m, row) }) {
				continue
			}
			one := statuspage.Work{Start: w.GetStartTime().AsTime(), End: w.GetEndTime().AsTime()}
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
		if asked.PageToken = resp.GetNextPageToken(); asked.PageToken == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b statuspage.Work) int { return a.Start.Compare(b.Start) })
	return all[:min(len(all), maxWorks)], nil
}

// covers tells whether a maintenance is about a site, as the coordinators do.
func covers(m *monitorv1.Maintenance, row *monitorv1.Site) bool {
	switch {
	case m.GetSiteId() != 0:
		return m.GetSiteId() == row.GetSiteId()
	case m.GetTag() != "":
		return slices.Contains(row.GetTags(), m.GetTag())
	}
	host, port := splitHost(siteHost(row.GetUrl()), strings.HasPrefix(strings.ToLower(row.GetUrl()), "https:"))
	meant, only, err := net.SplitHostPort(m.GetHost())
	if err != nil {
		meant, only = m.GetHost(), port
	}
	return strings.Trim(meant, "[]") == host && only == port
}

// splitHost returns the host and the port of a URL's authority.
func splitHost(authority string, tls bool) (host, port string) {
	host, port, err := net.SplitHostPort(authority)
	switch {
	case err == nil:
		return host, port
	case tls:
		return strings.Trim(authority, "[]"), "443"
	}
	return strings.Trim(authority, "[]"), "80"
}
