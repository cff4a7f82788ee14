package coordinator_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// full has a value in every field that a client may set.
func full() *monitorv1.Site {
	return &monitorv1.Site{
		BlogId: 7, Url: "http://full.example/", CheckInterval: durationpb.New(9 * time.Minute), Paused: true,
		Settings: &monitorv1.CheckSettings{
			Method: checkv1.Method_METHOD_GET, RedirectPolicy: checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL,
			RequiredTexts: []string{"r"}, ForbiddenTexts: []string{"f"}, Headers: []*checkv1.Header{{Name: "X-A", Value: "b"}},
			SlowAfter: durationpb.New(time.Second),
		},
		Tags: []string{"a", "b"}, PublicBadges: true,
	}
}

func TestAMaskSaysWhatAnUpdateChanges(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.ready(t)
	sites := monitorv1.NewSiteServiceClient(r.conn)
	settings := func(edit func(*monitorv1.CheckSettings)) func(*monitorv1.Site) {
		return func(s *monitorv1.Site) { edit(s.GetSettings()) }
	}
	for i, tt := range []struct {
		name string
		site *monitorv1.Site
		mask []string
		want func(*monitorv1.Site)
	}{
		{"no mask: what is populated", &monitorv1.Site{BlogId: 8}, nil, func(s *monitorv1.Site) { s.BlogId = 8 }},
		{"no mask and nothing populated: nothing", &monitorv1.Site{}, nil, func(*monitorv1.Site) {}},
		{"no mask: of settings the parts", &monitorv1.Site{Settings: &monitorv1.CheckSettings{Method: 2}}, nil,
			settings(func(s *monitorv1.CheckSettings) { s.Method = 2 })},
		{"no mask and empty settings: nothing", &monitorv1.Site{Settings: &monitorv1.CheckSettings{}}, nil, func(*monitorv1.Site) {}},
		{"no mask: output-only fields are ignored", &monitorv1.Site{
			Bucket: 99, State: 5, StatusId: 2, OutageId: 12, HoldReason: "x", Flapping: true, Relapses: 3,
			LastObservation: &checkv1.Observation{Detail: "d"}, RegionalFinding: &monitorv1.RegionalFinding{DownRegions: []string{"r"}},
		}, nil, func(*monitorv1.Site) {}},
		{"* is all", &monitorv1.Site{BlogId: 8, Url: "http://star.example/"}, []string{"*"}, func(s *monitorv1.Site) {
			s.Tags, s.PublicBadges = nil, false
			s.BlogId, s.Url, s.CheckInterval, s.Paused, s.Settings = 8, "http://star.example/", durationpb.New(5*time.Minute), false, &monitorv1.CheckSettings{}
		}},
		{"a field without a value is reset", &monitorv1.Site{}, []string{"paused", "check_interval", "settings.headers"}, func(s *monitorv1.Site) {
			s.Paused, s.CheckInterval, s.Settings.Headers = false, durationpb.New(5*time.Minute), nil
		}},
		{"what the mask does not name stays", &monitorv1.Site{BlogId: 9, Url: "http://not.example/"}, []string{"blog_id"}, func(s *monitorv1.Site) { s.BlogId = 9 }},
		{"no mask: tags, and in any order", &monitorv1.Site{Tags: []string{"z", "c"}}, nil, func(s *monitorv1.Site) { s.Tags = []string{"c", "z"} }},
		{"badges without a value are no longer public", &monitorv1.Site{}, []string{"publicBadges"}, func(s *monitorv1.Site) { s.PublicBadges = false }},
		{"tags without a value are removed", &monitorv1.Site{}, []string{"tags"}, func(s *monitorv1.Site) { s.Tags = nil }},
		{"settings as a whole", &monitorv1.Site{Settings: &monitorv1.CheckSettings{Method: 1}}, []string{"settings"}, func(s *monitorv1.Site) {
			s.Settings = &monitorv1.CheckSettings{Method: 1}
		}},
		{"output-only paths are ignored, deep ones too", &monitorv1.Site{BlogId: 9}, []string{
			"site_id", "bucket", "state", "status_id", "last_check_time", "last_status_change_time", "last_observation", "outage_id", "hold_reason",
			"next_check_time", "flapping", "relapses", "regional_finding", "last_observation.timings.dns_micros", "last_observation.headers.cf-ray",
			"last_observation.hops", "regional_finding.down_regions", "blog_id",
		}, func(s *monitorv1.Site) { s.BlogId = 9 }},
		{"names of JSON", &monitorv1.Site{Settings: &monitorv1.CheckSettings{RequiredTexts: []string{"x"}}}, []string{"settings.requiredTexts"},
			settings(func(s *monitorv1.CheckSettings) { s.RequiredTexts = []string{"x"} })},
	} {
		site := full()
		site.Url = fmt.Sprintf("http://full.example/%d", i)
		made, err := sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: site})
		if err != nil {
			t.Fatal(err)
		}
		want := made.GetSite()
		tt.want(want)
		tt.site.SiteId = want.GetSiteId()
		req := &monitorv1.UpdateSiteRequest{Site: tt.site}
		if tt.mask != nil {
			req.UpdateMask = &fieldmaskpb.FieldMask{Paths: tt.mask}
		}
		updated, err := sites.UpdateSite(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		read, err := sites.GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: want.GetSiteId()})
		if err != nil {
			t.Fatal(err)
		}
		for which, got := range map[string]*monitorv1.Site{"answered": updated.GetSite(), "read": read.GetSite()} {
			if diff := cmp.Diff(editable(want), editable(got), protocmp.Transform()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, which, diff)
			}
		}
	}
}

func TestAPathThatIsNoFieldIsRefusedByName(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.create(t, "http://example.com/")
	for _, path := range []string{
		"nonsense", "", " ", "url ", "url.x", "settings.", "settings.nonsense", "settings.headers.name", "settings.required_texts.0",
		"check_interval.seconds", "last_observation.nonsense", "site.url", "*.url", "**", "settings.*", strings.Repeat("x", 200),
	} {
		for _, mask := range [][]string{{path}, {"paused", path}, {"*", path}} {
			_, err := monitorv1.NewSiteServiceClient(r.conn).UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
				Site: &monitorv1.Site{SiteId: made.GetSiteId(), Paused: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask},
			})
			named := path[:min(len(path), 40)]
			if status.Code(err) != codes.InvalidArgument || fieldOf(err) != "update_mask" || !strings.Contains(err.Error(), fmt.Sprintf("%q", named)[:len(named)+1]) || len(err.Error()) > 300 {
				t.Errorf("mask %.60q: %v", mask, err)
			}
		}
	}
	if row, err := r.store.Site(t.Context(), check.SiteID(made.GetSiteId())); err != nil || row.Paused {
		t.Errorf("%+v, %v", row, err)
	}
}

// Every field of a site that the proto says a client may set can be set, and through the
// mask of its own path.
func TestEveryFieldThatIsNotOutputOnlyCanBeUpdated(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.create(t, "http://example.com/")
	output := []string{"site_id", "bucket", "state", "status_id", "last_check_time", "last_status_change_time", "last_observation",
		"outage_id", "hold_reason", "next_check_time", "flapping", "relapses", "regional_finding"}
	mask := &fieldmaskpb.FieldMask{}
	site := full()
	for _, prefix := range []string{"", "settings."} {
		fields := site.ProtoReflect().Descriptor().Fields()
		if prefix != "" {
			fields = site.GetSettings().ProtoReflect().Descriptor().Fields()
		}
		for i := range fields.Len() {
			if path := prefix + string(fields.Get(i).Name()); !slices.Contains(output, path) {
				mask.Paths = append(mask.Paths, path)
			}
		}
	}
	site.SiteId = made.GetSiteId()
	got, err := monitorv1.NewSiteServiceClient(r.conn).UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: site, UpdateMask: mask})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(editable(site), editable(got.GetSite()), protocmp.Transform()); diff != "" {
		t.Errorf("of %v (-want +got):\n%s", mask.GetPaths(), diff)
	}
}

// rowsAndAll is the table of sites, as one text.
func rowsAndAll(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT l.jetpack_monitor_site_id, l.blog_id, l.bucket_no, l.monitor_url, l.monitor_active, l.site_status, l.check_interval, s.settings
	FROM jetpack_monitor_sites l LEFT JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var ints [7]int64
		var url string
		var settings sql.NullString
		if err := rows.Scan(&ints[0], &ints[1], &ints[2], &url, &ints[4], &ints[5], &ints[6], &settings); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, ints, url, settings)
	}
	return all.String()
}

func TestWhatGETAnswersIsAPATCHThatChangesNothing(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db"), "mysql": mariadb.Start(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := rpc.NewMemory()
			m := fleet(t, dsn, network, share{"a", 0, check.Buckets - 1, func(o *coordinator.Options) { o.IntervalOverride = time.Second }})["a"]
			rest := serveREST(t, network, "a")
			// SQLite says that the coordinator is writing, unless it is told to wait.
			there := strings.TrimPrefix(dsn, "mysql://")
			if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
				there = "file:" + path + "?_pragma=busy_timeout(60000)"
			}
			db, err := sql.Open(name, there)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			seen := m.make(t, 7, "http://seen.example/")
			m.check(t, m.checker(t))
			site := full()
			whole, err := m.sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: site})
			if err != nil {
				t.Fatal(err)
			}
			ids := []int64{seen.GetSiteId(), whole.GetSite().GetSiteId()}
			for i, url := range []string{"example.com/bare", " http://x/\n", strings.Repeat("ü", 300), "ftp://u:p@x/", ""} {
				id := int64(100 + i)
				ids = append(ids, id)
				if _, err := db.ExecContext(t.Context(), `INSERT INTO jetpack_monitor_sites
	(jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, monitor_active, site_status, check_interval) VALUES (?, 1, 9, ?, ?, 1, 0)`, id, url, i%3); err != nil {
					t.Fatal(err)
				}
			}
			before := rowsAndAll(t, db)
			for _, id := range ids {
				body, site := rest.site(t, id)
				if code, answer, err := rest.call(t.Context(), http.MethodPatch, fmt.Sprint("/v1/sites/", id), body); err != nil || code != http.StatusOK {
					t.Errorf("PATCH with %s: %d %s, %v", body, code, answer, err)
				}
				camel, err := protojson.Marshal(site)
				if err != nil {
					t.Fatal(err)
				}
				if code, answer, err := rest.call(t.Context(), http.MethodPatch, fmt.Sprint("/v1/sites/", id), string(camel)); err != nil || code != http.StatusOK {
					t.Errorf("PATCH with %s: %d %s, %v", camel, code, answer, err)
				}
				for _, mask := range [][]string{nil, {"*"}} {
					if _, err := m.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: proto.CloneOf(site), UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}}); err != nil {
						t.Errorf("%d with mask %v: %v", id, mask, err)
					}
				}
			}
			if after := rowsAndAll(t, db); after != before {
				t.Errorf("the rows were\n%s and are\n%s", before, after)
			}
			if code, answer, err := rest.call(t.Context(), http.MethodPatch, fmt.Sprint("/v1/sites/", ids[0]), `{"nonsense":1}`); err != nil || code != http.StatusBadRequest {
				t.Errorf("an unknown field: %d %s, %v", code, answer, err)
			}
			if code, answer, err := rest.call(t.Context(), http.MethodPatch, fmt.Sprint("/v1/sites/", ids[1], "?update_mask=*"), `{"url":"http://star.example/"}`); err != nil || code != http.StatusOK || strings.Contains(string(answer), "X-A") {
				t.Errorf("with all in the mask: %d %s, %v", code, answer, err)
			}
		})
	}
}
