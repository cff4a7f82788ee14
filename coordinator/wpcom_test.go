package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// monitor is a client of WordPress.com's service.
func (r *rig) monitor() wpcomv1.JetpackMonitorServiceClient {
	return wpcomv1.NewJetpackMonitorServiceClient(r.conn)
}

// urlsOf returns settings with URLs.
func urlsOf(urls ...string) *wpcomv1.JetpackMonitorSettings {
	s := &wpcomv1.JetpackMonitorSettings{}
	for _, u := range urls {
		s.Urls = append(s.Urls, &wpcomv1.JetpackMonitorUrl{MonitorUrl: u})
	}
	return s
}

func (r *rig) post(ctx context.Context, site string, s *wpcomv1.JetpackMonitorSettings, mask ...string) (*wpcomv1.JetpackMonitorSettings, error) {
	req := &wpcomv1.UpdateJetpackMonitorSettingsRequest{Site: site, Settings: s}
	if len(mask) > 0 {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: mask}
	}
	resp, err := r.monitor().UpdateJetpackMonitorSettings(ctx, req)
	return resp.GetSettings(), err
}

// The owner of a site hears of an edit at once, whichever coordinator is asked to make it.
func TestSettingsTakeEffectAtOnceThroughAnyCoordinator(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, nil})
		a, b := f["a"], f["b"]
		for _, blog := range []int64{7, 300} {
			if _, err := a.post(t.Context(), fmt.Sprint(blog), urlsOf(fmt.Sprintf("http://b%d.example/", blog))); err != nil {
				t.Fatal(err)
			}
			list, err := b.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{BlogId: blog})
			if err != nil || len(list.GetSites()) != 1 || list.GetSites()[0].GetNextCheckTime() == nil {
				t.Fatalf("blog %d: the owner does not watch %v, %v", blog, list.GetSites(), err)
			}
			if s, err := b.post(t.Context(), fmt.Sprintf("b%d.example", blog), &wpcomv1.JetpackMonitorSettings{MonitorActive: proto.Bool(false)}); err != nil || s.GetMonitorActive() {
				t.Errorf("blog %d: paused it is %v, %v", blog, s, err)
			}
			if site := a.get(t, list.GetSites()[0].GetSiteId()); site.GetState() != monitorv1.SiteState_SITE_STATE_PAUSED || site.GetNextCheckTime() != nil {
				t.Errorf("blog %d: the site is %v", blog, site)
			}
		}
	})
}

// failing is a store that fails to add or change a site with a text in its URL.
type failing struct {
	store.Store
	at atomic.Pointer[string]
}

func (f *failing) fails(url string) bool {
	at := f.at.Load()
	return at != nil && strings.Contains(url, *at)
}

// CreateSite implements store.Sites.
func (f *failing) CreateSite(ctx context.Context, s record.Site) (record.Site, error) {
	if f.fails(s.URL) {
		return s, fault.New(fault.Unavailable, "dial tcp 192.0.2.1").Hidden("the database does not answer")
	}
	return f.Store.CreateSite(ctx, s)
}

func TestAnUpdateThatFailsOnTheWaySaysWhatItDidAndGoesOnWhenRepeated(t *testing.T) {
	t.Parallel()
	f := &failing{}
	r := startWith(t, func(o *coordinator.Options) {
		f.Store = o.Store
		o.Store = f
	})
	three := "three"
	f.at.Store(&three)
	want := urlsOf("http://one.example/", "http://two.example/", "http://three.example/")
	want.EmailNotifications = proto.Bool(false)
	for range 2 {
		_, err := r.post(t.Context(), "7", want)
		text := status.Convert(err).Message()
		if status.Code(err) != codes.Unavailable || strings.Contains(text, "192.0.2.1") || !strings.HasPrefix(text, "the database does not answer; ") {
			t.Fatal(err)
		}
		first := strings.Contains(text, "before, added http://one.example/, added http://two.example/: the same request again goes on from there")
		again := strings.HasSuffix(text, "; the same request again is safe")
		if !first && !again {
			t.Errorf("the error does not say what was done: %s", text)
		}
	}
	got, err := r.monitor().GetJetpackMonitorSettings(t.Context(), &wpcomv1.GetJetpackMonitorSettingsRequest{Site: "7"})
	if err != nil || len(got.GetSettings().GetUrls()) != 2 || !got.GetSettings().GetEmailNotifications() {
		t.Errorf("half done it is %v, %v", got, err)
	}
	f.at.Store(nil)
	if s, err := r.post(t.Context(), "7", want); err != nil || len(s.GetUrls()) != 3 || s.GetEmailNotifications() {
		t.Errorf("repeated: %v, %v", s, err)
	}
}

func TestWhatCannotBeSetChangesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	if _, err := r.post(t.Context(), "7", urlsOf("http://a.example/")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		site  string
		in    *wpcomv1.JetpackMonitorSettings
		mask  []string
		code  codes.Code
		field string
	}{
		"a URL with a space":           {"7", urlsOf("http://a.example/", "http://b .example/"), nil, codes.InvalidArgument, "settings.urls[1].monitor_url"},
		"an interval of 0":             {"7", &wpcomv1.JetpackMonitorSettings{Urls: []*wpcomv1.JetpackMonitorUrl{{MonitorUrl: "http://a.example/", CheckInterval: proto.Uint32(0)}}}, nil, codes.InvalidArgument, "settings.urls[0].check_interval"},
		"a mail address that is none":  {"7", &wpcomv1.JetpackMonitorSettings{Contacts: &wpcomv1.JetpackMonitorContacts{Emails: []*wpcomv1.JetpackMonitorEmail{{EmailAddress: "me"}}}}, nil, codes.InvalidArgument, "settings.contacts.emails[0].email_address"},
		"a delay of two days":          {"7", &wpcomv1.JetpackMonitorSettings{JetmonDeferStatusDownMinutes: proto.Uint32(2880)}, nil, codes.InvalidArgument, "settings.jetmon_defer_status_down_minutes"},
		"no settings":                  {"7", nil, nil, codes.InvalidArgument, "settings"},
		"a mask of what is no setting": {"7", urlsOf("http://b.example/"), []string{"url"}, codes.InvalidArgument, "update_mask"},
		"a mask into a list":           {"7", urlsOf("http://b.example/"), []string{"urls.monitor_url"}, codes.InvalidArgument, "update_mask"},
		"URLs of a blog by no host":    {"nothing.example", urlsOf("http://nothing.example/"), nil, codes.NotFound, ""},
		"blog 0":                       {"0", urlsOf("http://b.example/"), nil, codes.InvalidArgument, "site"},
	} {
		if _, err := r.post(t.Context(), tt.site, tt.in, tt.mask...); status.Code(err) != tt.code || fieldOf(err) != tt.field {
			t.Errorf("%s: %v names %q", name, err, fieldOf(err))
		}
	}
	list, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(t.Context(), &monitorv1.ListSitesRequest{})
	if err != nil || len(list.GetSites()) != 1 || list.GetSites()[0].GetUrl() != "http://a.example/" {
		t.Errorf("the sites are %v, %v", list.GetSites(), err)
	}
}

// The sites of no blog, which have the id 0, are not one another's.
func TestASiteOfNoBlogHasNoSettings(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, url := range []string{"http://a.example/", "http://b.example/"} {
		if _, err := monitorv1.NewSiteServiceClient(r.conn).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: url}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.post(t.Context(), "a.example", &wpcomv1.JetpackMonitorSettings{MonitorActive: proto.Bool(false)}); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	if _, err := r.monitor().GetJetpackMonitorUptime(t.Context(), &wpcomv1.GetJetpackMonitorUptimeRequest{Site: "a.example"}); err != nil {
		t.Error(err)
	}
}

// Without --db-edits and --db-updates the sites are WordPress.com's; what is kept beside them is
// ours.
func TestWhereTheTableIsReadOnlyOnlyWhatIsKeptCanBeSet(t *testing.T) {
	t.Parallel()
	var s store.Store
	r := startWith(t, func(o *coordinator.Options) {
		s = o.Store
		o.Store = readOnly{o.Store}
	})
	if _, err := s.CreateSite(t.Context(), record.Site{BlogID: 7, Bucket: 7, URL: "http://a.example/", Interval: time.Minute}); err != nil {
		t.Fatal(err)
	}
	_, err := r.post(t.Context(), "7", &wpcomv1.JetpackMonitorSettings{MonitorActive: proto.Bool(false), SmsNotifications: proto.Bool(true)})
	if status.Code(err) != codes.FailedPrecondition || !strings.HasSuffix(status.Convert(err).Message(), "; nothing was changed") {
		t.Error(err)
	}
	if got, err := r.post(t.Context(), "7", &wpcomv1.JetpackMonitorSettings{EmailNotifications: proto.Bool(false)}); err != nil || got.GetSmsNotifications() || got.GetEmailNotifications() || !got.GetMonitorActive() {
		t.Errorf("%v, %v", got, err)
	}
}

// readOnly is a store whose sites callers cannot edit.
type readOnly struct{ store.Store }

// UpdateSite implements store.Sites.
func (readOnly) UpdateSite(context.Context, check.SiteID, time.Time, func(record.Site) (record.Site, error)) (record.Site, error) {
	return record.Site{}, fault.New(fault.Fenced, "this coordinator only reads jetpack_monitor_sites")
}

// An outage that is open counts until now, through pauses that the API made.
func TestAnOpenOutageIsDowntimeOfToday(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	admin := as(t, r.token(t, nil, "admin"))
	if _, err := r.post(admin, "7", urlsOf("http://a.example/")); err != nil {
		t.Fatal(err)
	}
	list, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(admin, &monitorv1.ListSitesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.outage(t, list.GetSites()[0].GetSiteId())
	await(t, "a moment of downtime", func() bool {
		resp, err := r.monitor().ListJetpackMonitorIncidents(admin, &wpcomv1.ListJetpackMonitorIncidentsRequest{Site: "7"})
		if err != nil || len(resp.GetIncidents()) != 30 {
			t.Fatal(resp, err)
		}
		return slices.ContainsFunc(resp.GetIncidents()[:2], func(i *wpcomv1.JetpackMonitorIncident) bool {
			return i.GetStatus() == "down" && i.GetTotalDowntime() >= 1
		})
	})
}
