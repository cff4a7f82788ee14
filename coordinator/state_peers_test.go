package coordinator_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// refuse plays a checker that may not ask for the member's next sites.
func (m *member) refuse(t *testing.T, st wire) {
	t.Helper()
	as := hear(t, st).GetAssignments()
	var rs []*coordinatorv1.Result
	for _, a := range as.GetAssignments() {
		rs = append(rs, &coordinatorv1.Result{SiteId: a.GetSiteId(), Sequence: a.GetSequence(), Observation: &checkv1.Observation{
			Outcome: checkv1.Outcome_OUTCOME_UNKNOWN, Failure: checkv1.FailureKind_FAILURE_KIND_POLICY, Reason: "userinfo",
		}})
	}
	say(t, st, results(as.GetBatch(), rs...))
	if ack := hear(t, st).GetResultsAck(); int(ack.GetAccepted()) != len(rs) || len(rs) == 0 {
		t.Fatalf("not accepted: %v", ack)
	}
}

func TestSitesInOneStateAreListedFromAllCoordinators(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		f := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil},
			share{"b", 256, 511, func(o *coordinator.Options) { o.Store = dying{o.Store} }})
		a, b := f["a"], f["b"]
		atA, atB := a.checker(t), b.checker(t)
		var want []int64
		for i := range int64(6) {
			m, st, blog := a, atA, i
			if i%2 == 1 {
				m, st, blog = b, atB, 300+i
			}
			site := m.make(t, blog, fmt.Sprintf("http://x%d.example/", i))
			if i > 4 {
				m.check(t, st)
				continue
			}
			m.refuse(t, st)
			want = append(want, site.GetSiteId())
		}
		const state = monitorv1.SiteState_SITE_STATE_UNCHECKABLE
		for name, m := range f {
			for _, size := range []int32{1, 2, 3, 100} {
				var got []int64
				req := &monitorv1.ListSitesRequest{PageSize: size, State: state}
				for {
					resp, err := m.sites.ListSites(t.Context(), req)
					if err != nil || len(resp.GetSites()) > int(size) {
						t.Fatal(resp, err)
					}
					for _, s := range resp.GetSites() {
						if got = append(got, s.GetSiteId()); s.GetState() != state || s.GetLastObservation().GetReason() != "userinfo" {
							t.Errorf("%s lists %v", name, s)
						}
					}
					if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s lists %v in pages of %d, want %v", name, got, size, want)
				}
			}
		}
		for name, m := range f {
			pagesOfTwoBlogs(t, name, m, state)
		}
		one, err := a.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{State: state, BlogId: 301})
		if err != nil || len(one.GetSites()) != 1 || one.GetSites()[0].GetBlogId() != 301 {
			t.Errorf("of one blog: %v, %v", one, err)
		}
		up, err := a.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{State: monitorv1.SiteState_SITE_STATE_UP})
		if err != nil || len(up.GetSites()) != 1 || up.GetSites()[0].GetSiteId() != want[len(want)-1]+1 {
			t.Errorf("all sites that are up: %v, %v", up, err)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for _, state := range []monitorv1.SiteState{state, monitorv1.SiteState_SITE_STATE_UP, monitorv1.SiteState_SITE_STATE_PAUSED} {
			if _, err := a.sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{State: state}); status.Code(err) != codes.Unavailable {
				t.Errorf("%s with a coordinator that is away: %v", state, err)
			}
		}
	})
}

// pagesOfTwoBlogs lists the sites in a state for a caller who may see those of two blogs. Even
// the tokens of its pages say nothing of the sites of others.
func pagesOfTwoBlogs(t *testing.T, name string, m *member, state monitorv1.SiteState) {
	t.Helper()
	caller := access.Caller{TokenID: 1, Name: "two", Scopes: access.SitesRead, Blogs: []check.BlogID{2, 303}}
	ctx := rpc.OnBehalf(access.With(t.Context(), caller))
	req := &monitorv1.ListSitesRequest{PageSize: 1, State: state}
	for _, blog := range []int64{2, 303} {
		resp, err := m.sites.ListSites(ctx, req)
		if err != nil || len(resp.GetSites()) != 1 || resp.GetSites()[0].GetBlogId() != blog {
			t.Fatalf("%s lists %v, %v after %q, want the site of blog %d", name, resp, err, req.GetPageToken(), blog)
		}
		req.PageToken = resp.GetNextPageToken()
		named, _, _ := strings.Cut(req.PageToken, ".")
		if own := strconv.FormatInt(resp.GetSites()[0].GetSiteId(), 36); req.PageToken != "" && named != own {
			t.Errorf("%s continues after %q, and the caller's last site is %q", name, req.PageToken, own)
		}
	}
	if req.PageToken != "" {
		t.Errorf("%s continues after %q, where the caller has no site", name, req.PageToken)
	}
}
