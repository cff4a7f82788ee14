package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// jetpackAgency is the JetpackAgencyService.
type jetpackAgency struct {
	wpcomv1.UnimplementedJetpackAgencyServiceServer
	o Options
}

const (
	// blogsAtOnce bounds the blogs of one list that are looked at together.
	blogsAtOnce = 8
	// neverChanged is when the status of a site that never changed did, for WordPress.com's clients.
	neverChanged = "1970-01-01 00:00:00"
)

func (s *jetpackAgency) ListAgencySites(ctx context.Context, req *wpcomv1.ListAgencySitesRequest) (*wpcomv1.ListAgencySitesResponse, error) {
	blogs := slices.Sorted(slices.Values(req.GetBlogIds()))
	found := make([]*wpcomv1.AgencySite, len(blogs))
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(blogsAtOnce)
	for i, blog := range blogs {
		looking.Go(func() (err error) {
			found[i], err = s.site(ctx, check.BlogID(blog))
			return err
		})
	}
	if err := looking.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(site *wpcomv1.AgencySite) bool { return site == nil })
	return &wpcomv1.ListAgencySitesResponse{Sites: found, Total: uint32(len(found)), PerPage: uint32(len(blogs))}, nil
}

// site returns what is known of one blog; nil when none of its URLs is monitored.
func (s *jetpackAgency) site(ctx context.Context, blog check.BlogID) (*wpcomv1.AgencySite, error) {
	rows, err := s.o.Store.ListSites(ctx, store.SiteQuery{BlogID: blog, Limit: mostURLs + 1})
	switch {
	case err != nil || len(rows) == 0:
		return nil, err
	case len(rows) > mostURLs:
		return nil, fault.New(fault.Fenced, "blog_ids: blog %d has more than %d URLs; list them with /v1/sites", blog, mostURLs)
	}
	kept, err := s.o.Store.BlogSettings(ctx, blog)
	if err != nil {
		return nil, err
	}
	downSince, err := s.newestOutage(ctx, rows)
	if err != nil {
		return nil, err
	}
	is := tally{}
	is.count(ctx, s.o, rows)
	settings := keptToProto(kept)
	out := &wpcomv1.AgencySite{
		BlogId: float64(blog), UrlWithScheme: strings.TrimRight(rows[0].URL, "/"),
		MonitorActive: is.checked, MonitorSiteStatus: is.up(),
		MonitorLastStatusChange: changeTime(rows, downSince, is.up()),
	}
	_, out.Url, _ = strings.Cut(out.GetUrlWithScheme(), "://")
	out.MonitorSettings = &wpcomv1.AgencyMonitorSettings{
		MonitorActive: is.checked, MonitorSiteStatus: is.up(), LastDownTime: databaseTime(downSince, ""),
		CheckInterval: uint32(shortest(rows) / time.Minute), MonitorDefermentTime: settings.GetJetmonDeferStatusDownMinutes(),
		MonitorUserEmailNotifications: settings.GetEmailNotifications(), MonitorUserWpNoteNotifications: settings.GetWpNoteNotifications(),
		MonitorUserSmsNotifications:       settings.GetSmsNotifications(),
		MonitorNotifyAdditionalUserEmails: settings.GetContacts().GetEmails(), MonitorNotifyAdditionalUserSms: settings.GetContacts().GetSmsNumbers(),
	}
	return out, nil
}

// newestOutage returns when the newest outage of the sites began that is kept; zero for none.
func (s *jetpackAgency) newestOutage(ctx context.Context, rows []record.Site) (newest time.Time, err error) {
	for part := range slices.Chunk(rows, sitesAtOnce) {
		ids := make([]check.SiteID, len(part))
		for i, row := range part {
			ids[i] = row.ID
		}
		err = s.o.Store.Pasts(ctx, ids, time.Time{}, func(p record.Past) {
			for _, o := range p.Outages {
				if o.Start.After(newest) {
					newest = o.Start
				}
			}
		})
		if err != nil {
			return time.Time{}, err
		}
	}
	return newest, nil
}

// changeTime returns when the status of one of the sites changed last. The dashboard takes a site
// that is down and never changed for one that is up: when it is not known when a site went down,
// its newest outage has to do, or this moment.
func changeTime(rows []record.Site, downSince time.Time, up bool) string {
	var last time.Time
	for _, row := range rows {
		if row.StatusSince.After(last) {
			last = row.StatusSince
		}
	}
	if last.IsZero() && !up {
		if last = downSince; last.IsZero() {
			last = time.Now()
		}
	}
	return databaseTime(last, neverChanged)
}

// databaseTime writes a time as a database does, in UTC; never stands for none.
func databaseTime(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format(time.DateTime)
}

// shortest returns the shortest interval of sites.
func shortest(rows []record.Site) time.Duration {
	least := rows[0].Interval
	for _, row := range rows {
		least = min(least, row.Interval)
	}
	return least
}
