package coordinator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// reasonOf is the ErrorInfo reason of a refused batch.
func reasonOf(ack *coordinatorv1.ResultsAck) string {
	for _, d := range status.FromProto(ack.GetError()).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "jetmon.coordinator" {
			return info.GetReason()
		}
	}
	return ""
}

// fieldOf is the field that a BadRequest names.
func fieldOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok && len(bad.GetFieldViolations()) > 0 {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}

func TestASiteIsCreatedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	r := start(t)
	sites := monitorv1.NewSiteServiceClient(r.conn)
	made := r.create(t, "https://example.com/a?b=c")
	want := &monitorv1.Site{
		SiteId: made.GetSiteId(), BlogId: 7, Url: "https://example.com/a?b=c", Bucket: 7,
		State: monitorv1.SiteState_SITE_STATE_NEVER_CHECKED, StatusId: 1,
		CheckInterval: durationpb.New(5 * time.Minute), Settings: &monitorv1.CheckSettings{},
	}
	ignore := protocmp.IgnoreFields(&monitorv1.Site{}, "last_status_change_time", "next_check_time", "etag")
	if diff := cmp.Diff(want, made, protocmp.Transform(), ignore); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	edit := &monitorv1.Site{
		SiteId: made.GetSiteId(), Paused: true, CheckInterval: durationpb.New(time.Minute), Url: "http://not.in.the.mask/",
		Settings: &monitorv1.CheckSettings{Method: checkv1.Method_METHOD_GET, RequiredTexts: []string{"hello"}},
	}
	mask := &fieldmaskpb.FieldMask{Paths: []string{"paused", "check_interval", "settings.required_texts", "state"}}
	if _, err := sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: edit, UpdateMask: mask}); err != nil {
		t.Fatal(err)
	}
	want.Paused, want.State, want.CheckInterval = true, monitorv1.SiteState_SITE_STATE_PAUSED, edit.GetCheckInterval()
	want.Settings = &monitorv1.CheckSettings{RequiredTexts: []string{"hello"}}
	got, err := sites.GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: made.GetSiteId()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.GetSite(), protocmp.Transform(), ignore); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if _, err := sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: made.GetSiteId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: made.GetSiteId()}); status.Code(err) != codes.NotFound {
		t.Errorf("after its end: %v", err)
	}
}

func TestPagesOfSitesHoldEachOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, url := range []string{"http://a.example/", "http://b.example/", "http://c.example/"} {
		r.create(t, url)
	}
	var urls []string
	req := &monitorv1.ListSitesRequest{PageSize: 2}
	for {
		resp, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range resp.GetSites() {
			urls = append(urls, s.GetUrl())
		}
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"http://a.example/", "http://b.example/", "http://c.example/"}, urls); diff != "" {
		t.Error(diff)
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.create(t, "http://example.com/")
	sites := monitorv1.NewSiteServiceClient(r.conn)
	create := func(s *monitorv1.Site) error {
		_, err := sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: s})
		return err
	}
	update := func(s *monitorv1.Site, paths ...string) error {
		s.SiteId = made.GetSiteId()
		_, err := sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	ok := func(edit func(*monitorv1.Site)) *monitorv1.Site {
		s := &monitorv1.Site{Url: "http://example.org/"}
		edit(s)
		return s
	}
	tests := []struct {
		name  string
		err   error
		code  codes.Code
		field string
	}{
		{"no URL", create(&monitorv1.Site{BlogId: 1}), codes.InvalidArgument, "site.url"},
		{"a URL with a bad port", create(&monitorv1.Site{Url: "http://example.com:99999/"}), codes.InvalidArgument, "site.url"},
		{"a URL of another scheme", create(&monitorv1.Site{Url: "ftp://example.com/"}), codes.InvalidArgument, "site.url"},
		{"half a minute", create(ok(func(s *monitorv1.Site) { s.CheckInterval = durationpb.New(90 * time.Second) })), codes.InvalidArgument, "site.check_interval"},
		{"a negative interval", create(ok(func(s *monitorv1.Site) { s.CheckInterval = durationpb.New(-time.Minute) })), codes.InvalidArgument, "site.check_interval"},
		{"a negative blog", create(ok(func(s *monitorv1.Site) { s.BlogId = -1 })), codes.InvalidArgument, "site.blog_id"},
		{"a header that is ours", create(ok(func(s *monitorv1.Site) {
			s.Settings = &monitorv1.CheckSettings{Headers: []*checkv1.Header{{Name: "Host", Value: "x"}}}
		})), codes.InvalidArgument, "site.settings.headers[0].name"},
		{"the same site twice", create(&monitorv1.Site{BlogId: 7, Url: "http://example.com/"}), codes.AlreadyExists, ""},
		{"a mask that names nothing", update(&monitorv1.Site{}, "nonsense"), codes.InvalidArgument, "update_mask"},
		{"a bad URL in an update", update(&monitorv1.Site{Url: "example"}, "url"), codes.InvalidArgument, "site.url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if status.Code(tt.err) != tt.code || fieldOf(tt.err) != tt.field {
				t.Errorf("%v naming %q, want %v naming %q", tt.err, fieldOf(tt.err), tt.code, tt.field)
			}
		})
	}
}

func TestTheStatusOfABlogIsThatOfAllItsSites(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.create(t, "https://Shop.example.com:8443/")
	ask := func(site string) (bool, codes.Code) {
		resp, err := wpcomv1.NewJetpackMonitorServiceClient(r.conn).GetJetpackMonitorStatus(t.Context(), &wpcomv1.GetJetpackMonitorStatusRequest{Site: site})
		return resp.GetStatus(), status.Code(err)
	}
	for site, want := range map[string]codes.Code{
		"7": codes.OK, "shop.example.com": codes.OK, "SHOP.example.com": codes.OK,
		"8": codes.NotFound, "example.com": codes.NotFound, "-1": codes.InvalidArgument, "": codes.InvalidArgument,
	} {
		if up, code := ask(site); code != want || up != (want == codes.OK) {
			t.Errorf("%q: %v %v", site, up, code)
		}
	}
	if _, err := monitorv1.NewSiteServiceClient(r.conn).UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
		Site: &monitorv1.Site{SiteId: made.GetSiteId(), Paused: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"paused"}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, code := ask("7"); code != codes.NotFound {
		t.Errorf("a blog without a monitored site: %v", code)
	}
}

func TestTheFleetSaysWhoIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		st := r.open(t, hello(nil))
		hear(t, st)
		say(t, st, credit(5))
		r.create(t, "http://example.com/")
		hear(t, st) // the check is out
		resp, err := monitorv1.NewFleetServiceClient(r.conn).GetFleet(t.Context(), &monitorv1.GetFleetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		f := resp.GetFleet()
		if c := f.GetCoordinator(); c.GetSites() != 1 || c.GetOpenChecks() != 1 || c.GetNode() != "coordinator" {
			t.Errorf("coordinator %v", c)
		}
		if len(f.GetCheckers()) != 1 || f.GetCheckers()[0].GetNode() != "c" || f.GetCheckers()[0].GetOpenChecks() != 1 {
			t.Errorf("checkers %v", f.GetCheckers())
		}
		if len(f.GetVerifliers()) != 1 || f.GetVerifliers()[0].GetState() != monitorv1.VeriflierState_VERIFLIER_STATE_UNREACHABLE {
			t.Errorf("verifliers %v", f.GetVerifliers())
		}
	})
}
