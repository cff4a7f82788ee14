package api

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// incidentDays are the days of ListJetpackMonitorIncidents.
	incidentDays = 30
	// longPeriod is the longer one of GetJetpackMonitorUptime's periods.
	longPeriod = "90 days"
	longDays   = 90
	shortDays  = 30
)

// How a day was, in the words of WordPress.com.
const (
	dayUp       = "up"
	dayDown     = "down"
	dayInactive = "monitor_inactive"
	dayNoData   = "no-data"
)

func (s *jetpackMonitor) ListJetpackMonitorIncidents(ctx context.Context, req *wpcomv1.ListJetpackMonitorIncidentsRequest) (*wpcomv1.ListJetpackMonitorIncidentsResponse, error) {
	days, err := s.days(ctx, req.GetSite(), incidentDays)
	if err != nil {
		return nil, err
	}
	resp := &wpcomv1.ListJetpackMonitorIncidentsResponse{}
	for _, d := range slices.Backward(days) {
		resp.Incidents = append(resp.Incidents, &wpcomv1.JetpackMonitorIncident{
			Date: d.Date.Format(time.DateOnly), Status: wordFor(d, dayNoData), TotalDowntime: d.Minutes(),
		})
	}
	return resp, nil
}

func (s *jetpackMonitor) GetJetpackMonitorUptime(ctx context.Context, req *wpcomv1.GetJetpackMonitorUptimeRequest) (*wpcomv1.GetJetpackMonitorUptimeResponse, error) {
	n := shortDays
	if req.GetPeriod() == longPeriod {
		n = longDays
	}
	days, err := s.days(ctx, req.GetSite(), n)
	if err != nil {
		return nil, err
	}
	resp := &wpcomv1.GetJetpackMonitorUptimeResponse{Days: make(map[string]*wpcomv1.JetpackMonitorDay, n)}
	for _, d := range days {
		resp.Days[d.Date.Format(time.DateOnly)] = &wpcomv1.JetpackMonitorDay{Status: wordFor(d, dayInactive), DowntimeInMinutes: d.Minutes()}
	}
	return resp, nil
}

// wordFor returns the word for a day; idle is that for one on which nothing was checked.
func wordFor(d uptime.Day, idle string) string {
	switch {
	case !d.Watched:
		return idle
	case d.Down > 0:
		return dayDown
	}
	return dayUp
}

// days returns how the last days of a blog or host were. Whatever the number of its sites, it
// holds some at a time.
func (s *jetpackMonitor) days(ctx context.Context, site string, n int) ([]uptime.Day, error) {
	named, err := nameOf(site)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c := uptime.New(now, n)
	found := false
	err = s.walk(ctx, site, func(rows []record.Site) (bool, error) {
		found = found || len(rows) > 0
		return true, s.addDays(ctx, c, named, rows, now)
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, noneIs(site)
	}
	return c.Days(), nil
}

// mostSeen is of how many sites together it is read when nobody looked at them. A name that stands
// for more is nearly always seen by one of them.
const mostSeen = 100

// addDays counts some sites. An outage counts for what is named if it was of a URL that fits.
func (s *jetpackMonitor) addDays(ctx context.Context, c *uptime.Calendar, named name, rows []record.Site, now time.Time) error {
	look := lookback{o: s.o}
	gaps, err := look.gaps(ctx, c.From(), rows, now)
	if err != nil {
		return err
	}
	byID := make(map[check.SiteID]record.Site, len(rows))
	ids := make([]check.SiteID, len(rows))
	for i, row := range rows {
		ids[i], byID[row.ID] = row.ID, row
	}
	err = s.o.Store.Pasts(ctx, ids, c.From(), func(p record.Past) {
		row := byID[p.SiteID]
		delete(byID, p.SiteID)
		p.Outages = slices.DeleteFunc(p.Outages, func(o record.PastOutage) bool { return !named.fits(o.URL) })
		c.AddSeen(p.Of(row, now), gaps[row.ID], look.interval(row))
	})
	for _, row := range byID {
		c.AddSeen(record.Past{}.Of(row, now), gaps[row.ID], look.interval(row))
	}
	return err
}

// gaps returns when nobody looked at sites since a midnight, as far as that is kept; nothing of more
// than mostSeen.
func (l lookback) gaps(ctx context.Context, since time.Time, rows []record.Site, now time.Time) (map[check.SiteID][]uptime.Span, error) {
	if l.o.History == nil || len(rows) > mostSeen {
		return nil, nil
	}
	sites, _, err := l.ledgers(ctx, rows, uptime.Span{Start: since, End: now}, now)
	gaps := make(map[check.SiteID][]uptime.Span, len(sites))
	for id, x := range sites {
		gaps[id] = x.turns.Gaps
	}
	return gaps, err
}
