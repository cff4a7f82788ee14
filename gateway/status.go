package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gateway/statuspage"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// StatusPage is a public page about the sites with a tag that have public badges. See
// docs/design/0038.
type StatusPage struct {
	// Name is the last part of its path, /status/NAME: 1..32 letters, digits and -.
	Name string
	// Tag selects the sites.
	Tag string
	// Title is the heading; "" means the name.
	Title string
}

const (
	statusPrefix = "/status/"
	statusType   = "text/html; charset=utf-8"
	// statusKeep lets browsers and what is between keep a page.
	statusKeep = "public, max-age=60, stale-if-error=3600"
	// statusFresh is for how long a page is good as it is, statusStale for how long an old one is
	// better than none. A new one takes statusTime at most.
	statusFresh = time.Minute
	statusStale = 10 * time.Minute
	statusTime  = 20 * time.Second
	// statusAgain is for how long nobody tries again after a page could not be made.
	statusAgain = 10 * time.Second
	// daysFresh is for how long the days of a site are good.
	daysFresh = 10 * time.Minute
	// maxStatusSites bounds the sites of a page; mostPages the pages of those with a tag that are
	// read to find them.
	maxStatusSites = 50
	mostPages      = 10
	statusDays     = 90
	pastDays       = 14
	maxPast        = 20
	maxWorks       = 5
)

var statusName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// checkStatusPages refuses pages that cannot be told apart.
func checkStatusPages(all []StatusPage) error {
	seen := map[string]bool{}
	for _, p := range all {
		switch {
		case !statusName.MatchString(p.Name):
			return fmt.Errorf("status page %q: its name must be 1 to 32 of a-z, 0-9 and -", p.Name)
		case p.Tag == "":
			return fmt.Errorf("status page %s: has no tag", p.Name)
		case seen[p.Name]:
			return fmt.Errorf("status page %s: there are two of that name", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// errNoPage is that of requests soon after a failure.
var errNoPage = errors.New("the page could not be made a moment ago")

// statusView keeps one page. Whatever the traffic, it is made once a minute at most, by one at a
// time, and tried once in ten seconds while that fails.
type statusView struct {
	of      StatusPage
	gateway *Gateway
	// token is that of the API with which the sites are read; "" where nobody is asked for one.
	token  string
	policy string
	log    *slog.Logger

	making chan struct{} // has room for who makes it
	mu     sync.Mutex
	body   []byte
	at     time.Time
	failed time.Time // when making it failed last
	// days are those of sites, which change slowly; only who makes the page uses them.
	days map[int64]siteDays
}

type siteDays struct {
	site statuspage.Site // as far as the past goes
	past []statuspage.Outage
	at   time.Time
}

func newStatus(p StatusPage, g *Gateway, token string) *statusView {
	if p.Title == "" {
		p.Title = p.Name
	}
	return &statusView{of: p, gateway: g, token: token, log: g.log, policy: statuspage.Policy(), making: make(chan struct{}, 1), days: map[int64]siteDays{}}
}

// conn calls the coordinators, while the gateway runs.
func (s *statusView) conn() grpc.ClientConnInterface { return s.gateway.coordinators.Load() }

// show answers the page.
func (s *statusView) show(w http.ResponseWriter, req *http.Request) {
	body, err := s.get(req.Context())
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		fail(w, fault.New(fault.Unavailable, "this page cannot be made at the moment; try again in a minute"))
		return
	}
	w.Header().Set("Content-Security-Policy", s.policy)
	writeAs(w, http.StatusOK, statusType, body)
}

// get returns the page that is kept, or makes it.
func (s *statusView) get(ctx context.Context) ([]byte, error) {
	body, old, err := s.kept()
	if body != nil || err != nil {
		return body, err
	}
	select {
	case s.making <- struct{}{}:
	default:
		if old != nil {
			return old, nil // another one is making it
		}
		select {
		case s.making <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-s.making }()
	if body, old, err = s.kept(); body != nil || err != nil {
		return body, err // made while this one waited, or not
	}
	// Whoever asked first may go away; others wait, too.
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTime)
	defer cancel()
	if s.token != "" {
		making = metadata.AppendToOutgoingContext(making, "authorization", "Bearer "+s.token)
	}
	body, err = s.make(making)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.WarnContext(ctx, "status page not made", "page", s.of.Name, "error", err)
		if s.failed = time.Now(); old != nil {
			return old, nil
		}
		return nil, err
	}
	s.body, s.at = body, time.Now()
	return body, nil
}

// kept returns the page as far as it is kept: body when that will do for now, and old when it is
// better than none. The error means that it is too early to try again.
func (s *statusView) kept() (body, old []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := time.Since(s.at)
	if s.body != nil && age < statusStale {
		old = s.body
	}
	switch {
	case old != nil && (age < statusFresh || time.Since(s.failed) < statusAgain):
		return old, old, nil
	case time.Since(s.failed) < statusAgain:
		return nil, nil, errNoPage
	}
	return nil, old, nil
}

// make makes the page from what is so now.
func (s *statusView) make(ctx context.Context) ([]byte, error) {
	now := time.Now()
	page := statuspage.Page{Title: s.of.Title, At: now}
	sites, cut, err := s.sites(ctx)
	if err != nil {
		return nil, err
	}
	page.Cut = cut
	names := map[string]int{}
	var past []statuspage.Outage
	kept := map[int64]siteDays{}
	for _, row := range sites {
		d, ok := s.days[row.GetSiteId()]
		if !ok || now.Sub(d.at) > daysFresh || d.site.State != stateOf(row) {
			if d, err = s.past(ctx, row, now); err != nil {
				return nil, err
			}
			s.days[row.GetSiteId()] = d // also where the page is not made in time: the next try goes on from here
		}
		kept[row.GetSiteId()] = d
		name := siteHost(row.GetUrl())
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, names[name])
		}
		d.site.Name = name
		page.Sites = append(page.Sites, d.site)
		for _, o := range d.past {
			past = append(past, statuspage.Outage{Names: []string{name}, Start: o.Start, End: o.End})
		}
	}
	s.days = kept
	page.Past = together(past)
	page.Past = page.Past[:min(len(page.Past), maxPast)]
	if page.Works, err = s.works(ctx, sites, now); err != nil {
		return nil, err
	}
	return page.HTML()
}

// sites returns those with the tag whose badges are public.
func (s *statusView) sites(ctx context.Context) (found []*monitorv1.Site, cut bool, err error) {
	asked := &monitorv1.ListSitesRequest{Tag: s.of.Tag, PageSize: 100}
	for range mostPages {
		resp, err := monitorv1.NewSiteServiceClient(s.conn()).ListSites(ctx, asked)
		if err != nil {
			return nil, false, err
		}
		for _, row := range resp.GetSites() {
			if !row.GetPublicBadges() {
				continue
			}
			if len(found) == maxStatusSites {
				return found, true, nil
			}
			found = append(found, row)
		}
		if asked.PageToken = resp.GetNextPageToken(); asked.PageToken == "" {
			return found, false, nil
		}
	}
	return found, true, nil
}

// past reads the days of a site, and its outages.
func (s *statusView) past(ctx context.Context, row *monitorv1.Site, now time.Time) (siteDays, error) {
	d := siteDays{at: now, site: statuspage.Site{State: stateOf(row)}}
	from := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-statusDays)
	got, err := monitorv1.NewHistoryServiceClient(s.conn()).GetSiteUptime(ctx, &monitorv1.GetSiteUptimeRequest{
		SiteId: row.GetSiteId(), StartTime: timestamppb.New(from), ByDay: true,
	})
	if err != nil {
		return d, err
	}
	u := got.GetUptime()
	for _, p := range u.GetDays() {
		d.site.Days = append(d.site.Days, statuspage.Day{
			Date: p.GetStartTime().AsTime(), Known: p.Uptime != nil && (p.Coverage == nil || p.GetCoverage() > 0), Down: p.GetDownTime().AsDuration(),
		})
	}
	if u.Uptime != nil {
		d.site.Uptime = percent(u.GetUptime())
	}
	if d.site.State != statuspage.Down && u.GetDownTime().AsDuration() == 0 {
		return d, nil
	}
	outages, err := monitorv1.NewOutageServiceClient(s.conn()).ListOutages(ctx, &monitorv1.ListOutagesRequest{SiteId: row.GetSiteId(), PageSize: maxPast})
	if err != nil {
		return d, err
	}
	for _, o := range outages.GetOutages() {
		switch {
		case o.GetMaintenanceId() != 0: // planned
		case o.GetEndTime() == nil:
			d.site.Since = o.GetStartTime().AsTime()
		case now.Sub(o.GetEndTime().AsTime()) < pastDays*24*time.Hour:
			d.past = append(d.past, statuspage.Outage{Start: o.GetStartTime().AsTime(), End: o.GetEndTime().AsTime()})
		}
	}
	return d, nil
}

// stateOf says how a site is, as those who are told of outages know.
func stateOf(row *monitorv1.Site) statuspage.State {
	switch row.GetState() {
	case monitorv1.SiteState_SITE_STATE_UP, monitorv1.SiteState_SITE_STATE_SUSPECT, monitorv1.SiteState_SITE_STATE_VERIFYING:
		return statuspage.Up
	case monitorv1.SiteState_SITE_STATE_DOWN, monitorv1.SiteState_SITE_STATE_CONFIRMED_DOWN, monitorv1.SiteState_SITE_STATE_RECOVERING:
		if row.GetMaintenanceId() != 0 {
			return statuspage.Maintained
		}
		return statuspage.Down
	case monitorv1.SiteState_SITE_STATE_PAUSED:
		return statuspage.Paused
	}
	return statuspage.Unknown
}

// siteHost returns the host of a URL: the rest may be nobody's business.
func siteHost(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, "#")
	return strings.ToLower(host[strings.LastIndex(host, "@")+1:])
}

// percent cuts a share: 100 % means all of it.
func percent(share float64) string {
	const hundredths = 10_000
	cut := min(hundredths, max(0, int(share*hundredths+1e-6)))
	if cut == hundredths && share >= 1 {
		return "100%"
	}
	cut = min(cut, hundredths-1)
	return fmt.Sprintf("%d.%02d%%", cut/100, cut%100)
}
