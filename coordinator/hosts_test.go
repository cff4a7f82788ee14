package coordinator_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// listed lists the sites that a request selects, in pages of its size.
func (m *member) listed(t *testing.T, req *monitorv1.ListSitesRequest) (ids []int64) {
	t.Helper()
	for {
		resp, err := m.sites.ListSites(t.Context(), req)
		if err != nil || len(resp.GetSites()) > int(req.GetPageSize()) {
			t.Fatalf("%v: %d sites, %v", req, len(resp.GetSites()), err)
		}
		for _, s := range resp.GetSites() {
			ids = append(ids, s.GetSiteId())
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			return ids
		}
	}
}

func TestSitesAreListedByHostAndURLWithBlogAndState(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, nil})
		a, b := f["a"], f["b"]
		atA, atB := a.checker(t), b.checker(t)
		var ids []int64
		for i, url := range []string{"http://one.example/", "http://one.example/x", "http://ONE.example./", "http://one.example:8080/", "http://two.example/", "http://one.example/x"} {
			m, st, blog := a, atA, int64(7)
			if i%2 == 1 {
				m, st, blog = b, atB, 300+int64(i)
			}
			ids = append(ids, m.make(t, blog, url).GetSiteId())
			m.refuse(t, st)
		}
		later := func() { time.Sleep(3 * time.Minute); synctest.Wait() }
		for _, when := range []string{"at once", "later"} {
			if when == "later" {
				later() // all hosts are indexed by then
			}
			for name, tt := range map[string]struct {
				req  *monitorv1.ListSitesRequest
				want []int
			}{
				"a host":                  {&monitorv1.ListSitesRequest{Host: "One.Example."}, []int{0, 1, 2, 3, 5}},
				"a host and a port":       {&monitorv1.ListSitesRequest{Host: "one.example:8080"}, []int{3}},
				"a host and a blog":       {&monitorv1.ListSitesRequest{Host: "one.example", BlogId: 7}, []int{0, 2}},
				"a URL":                   {&monitorv1.ListSitesRequest{Url: "HTTP://one.example:80/#f"}, []int{0, 2}},
				"a URL and a blog":        {&monitorv1.ListSitesRequest{Url: "http://one.example/x", BlogId: 305}, []int{5}},
				"a URL and its host":      {&monitorv1.ListSitesRequest{Url: "http://one.example/x", Host: "one.example"}, []int{1, 5}},
				"a URL and another host":  {&monitorv1.ListSitesRequest{Url: "http://one.example/x", Host: "two.example"}, nil},
				"a URL and another port":  {&monitorv1.ListSitesRequest{Url: "http://one.example/x", Host: "one.example:81"}, nil},
				"a host that is not here": {&monitorv1.ListSitesRequest{Host: "three.example"}, nil},
			} {
				var want []int64
				for _, i := range tt.want {
					want = append(want, ids[i])
				}
				for node, m := range f {
					for _, size := range []int32{1, 2, 100} {
						for _, state := range []monitorv1.SiteState{monitorv1.SiteState_SITE_STATE_UNSPECIFIED, monitorv1.SiteState_SITE_STATE_UNCHECKABLE, monitorv1.SiteState_SITE_STATE_DOWN} {
							tt.req.PageSize, tt.req.State, tt.req.PageToken = size, state, ""
							wanted := want
							if state == monitorv1.SiteState_SITE_STATE_DOWN {
								wanted = nil
							}
							if got := m.listed(t, tt.req); !slices.Equal(got, wanted) {
								t.Errorf("%s, %s through %s in pages of %d, %v: %v, want %v", when, name, node, size, state, got, wanted)
							}
						}
					}
				}
			}
		}
		for field, req := range map[string]*monitorv1.ListSitesRequest{"host": {Host: "a/b"}, "url": {Url: "one.example"}} {
			if _, err := a.sites.ListSites(t.Context(), req); fieldOf(err) != field || status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v: %v", req, err)
			}
		}
	})
}

// A host has more sites than are read at once, and only the last one is checked.
func TestTheStatusOfAHostIsThatOfAllItsSites(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func(testing.TB) string{
		"SQLite":  func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "jetmon.db") },
		"MariaDB": mariadb.Start,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := fleet(t, dsn(t), rpc.NewMemory(), share{"a", 0, check.Buckets - 1, nil})["a"]
			ask := func(site string) codes.Code {
				resp, err := wpcomv1.NewJetpackMonitorServiceClient(a.conn).GetJetpackMonitorStatus(t.Context(), &wpcomv1.GetJetpackMonitorStatusRequest{Site: site})
				if err == nil && (!resp.GetStatus() || resp.Paused != nil) {
					t.Errorf("%s: %v", site, resp)
				}
				return status.Code(err)
			}
			const sites = 2000
			for i := range sites {
				if _, err := a.store.CreateSite(t.Context(), record.Site{
					BlogID: 9, Bucket: 9, URL: fmt.Sprintf("http://Big.example/%d", i), Interval: time.Hour, Paused: true,
				}); err != nil {
					t.Fatal(err)
				}
			}
			want := map[string]codes.Code{"9": codes.NotFound, "big.example": codes.NotFound, "big.example:80": codes.NotFound, "big.example:81": codes.NotFound}
			for site, code := range want {
				if got := ask(site); got != code {
					t.Errorf("all are paused, %s: %v", site, got)
				}
			}
			a.make(t, 9, "http://big.example/last")
			// Nothing was down, and days are counted of all of them; settings are of fewer.
			days, err := a.monitor().GetJetpackMonitorUptime(t.Context(), &wpcomv1.GetJetpackMonitorUptimeRequest{Site: "big.example", Period: "90 days"})
			if today := days.GetDays()[time.Now().UTC().Format(time.DateOnly)]; err != nil || len(days.GetDays()) != 90 || today.GetStatus() != "up" {
				t.Errorf("the days of a host with many sites: today %v, %v", today, err)
			}
			if _, err := a.monitor().GetJetpackMonitorSettings(t.Context(), &wpcomv1.GetJetpackMonitorSettingsRequest{Site: "9"}); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("settings of a blog with many sites: %v", err)
			}
			for site := range want {
				code := codes.OK
				if site == "big.example:81" {
					code = codes.NotFound
				}
				if got := ask(site); got != code {
					t.Errorf("one is checked, %s: %v", site, got)
				}
			}
		})
	}
}
