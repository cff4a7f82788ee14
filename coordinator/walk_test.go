package coordinator_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

// A walk by pages sees each site that was there all the time exactly once, by every filter, in
// both orders, through any coordinator.
func TestAWalkSeesEachSiteOnce(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, system := range map[string]struct {
			dsn    string
			shares []share
		}{
			"SQLite":                      {"sqlite:" + filepath.Join(t.TempDir(), "jetmon.db"), []share{{"a", 0, 511, nil}}},
			"two coordinators on MariaDB": {mariadb.Start(t), []share{{"a", 0, 255, nil}, {"b", 256, 511, nil}}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := &walkers{random: rand.New(rand.NewPCG(seed, 0))}
				w.seed(t, system.dsn)
				w.members = fleet(t, system.dsn, rpc.NewMemory(), system.shares...)
				await(t, "each site is watched", func() bool { return w.watched(t) })
				for range 120 {
					w.walk(t)
				}
			})
		}
	})
}

// walkers walk over sites of which some are edited meanwhile.
type walkers struct {
	random  *rand.Rand
	members map[string]*member
	// still stay as they are; restless are edited.
	still, restless []int64
	made            int
}

// seed makes sites before there are coordinators: some are down by our own record, some by v1's.
func (w *walkers) seed(t *testing.T, dsn string) {
	s, err := sqlstore.Open(t.Context(), dsn, sqlstore.Options{LegacyWrites: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		site := w.site()
		row, err := s.CreateSite(t.Context(), rowOf(site))
		if err != nil {
			t.Fatal(err)
		}
		if w.random.IntN(3) == 0 {
			lease, err := s.ClaimShard(t.Context(), shard.Of(row.Bucket), shard.Owner{Node: "earlier", TTL: time.Minute}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := storetest.Commit(t.Context(), s, lease.Fence(), downSince(row, w.time())); err != nil && !site.GetPaused() {
				t.Fatal(err)
			}
			if err := s.ReleaseShard(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		}
		if w.random.IntN(3) > 0 {
			w.still = append(w.still, int64(row.ID))
		} else {
			w.restless = append(w.restless, int64(row.ID))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// time is one of the last hours.
func (w *walkers) time() time.Time {
	return time.Now().Add(-time.Duration(1+w.random.IntN(10)) * time.Hour).Truncate(time.Millisecond)
}

// site is any site.
func (w *walkers) site() *monitorv1.Site {
	w.made++
	s := &monitorv1.Site{
		BlogId: int64(1 + 200*w.random.IntN(3)), Paused: w.random.IntN(4) == 0,
		Url: fmt.Sprintf("http://%s.example/%d", []string{"one", "two"}[w.random.IntN(2)], w.made),
	}
	for _, tag := range []string{"a", "b"} {
		if w.random.IntN(2) == 0 {
			s.Tags = append(s.Tags, tag)
		}
	}
	return s
}

// any is one of the coordinators.
func (w *walkers) any() *member {
	names := make([]string, 0, 2)
	for name := range w.members {
		names = append(names, name)
	}
	slices.Sort(names)
	return w.members[names[w.random.IntN(len(names))]]
}

// watched reports whether no site is as if nobody watched it.
func (w *walkers) watched(t *testing.T) bool {
	t.Helper()
	for _, id := range w.still {
		if s := w.any().get(t, id); !s.GetPaused() && s.GetNextCheckTime() == nil {
			return false
		}
	}
	return true
}

// request is any list.
func (w *walkers) request() *monitorv1.ListSitesRequest {
	one := func(of int) bool { return w.random.IntN(of) == 0 }
	q := &monitorv1.ListSitesRequest{PageSize: int32(1 + w.random.IntN(6))}
	if one(2) {
		q.OrderBy = []string{"site_id", "site_id desc"}[w.random.IntN(2)]
	}
	if one(4) {
		q.Tag = []string{"a", "b"}[w.random.IntN(2)]
	}
	if one(4) {
		q.BlogId = int64(1 + 200*w.random.IntN(3))
	}
	if one(5) {
		q.Host = []string{"one.example", "two.example"}[w.random.IntN(2)]
	}
	if one(6) {
		q.Bucket = proto.Uint32(uint32(1 + 200*w.random.IntN(3)))
	}
	if one(3) {
		q.Status = proto.Int32(int32(w.random.IntN(3)))
	}
	if one(4) {
		q.ChangedSince = timestamppb.New(w.time())
	}
	if one(3) {
		q.State = monitorv1.SiteState(1 + w.random.IntN(9))
	}
	return q
}

// fits says a second time what a list has.
func fits(q *monitorv1.ListSitesRequest, s *monitorv1.Site) bool {
	host := fmt.Sprintf("http://%s/", q.GetHost())
	return (q.GetTag() == "" || slices.Contains(s.GetTags(), q.GetTag())) && (q.GetBlogId() == 0 || q.GetBlogId() == s.GetBlogId()) &&
		(q.GetHost() == "" || len(s.GetUrl()) > len(host) && s.GetUrl()[:len(host)] == host) && (q.Bucket == nil || q.GetBucket() == s.GetBucket()) &&
		(q.Status == nil || q.GetStatus() == s.GetStatusId()) && (q.GetState() == 0 || q.GetState() == s.GetState()) &&
		(q.ChangedSince == nil || s.GetLastStatusChangeTime() != nil && !s.GetLastStatusChangeTime().AsTime().Before(q.GetChangedSince().AsTime()))
}

// walk follows the pages of any list, with edits between them.
func (w *walkers) walk(t *testing.T) {
	t.Helper()
	q, seen := w.request(), map[int64]int{}
	ctx, mine := t.Context(), []int64(nil)
	if w.random.IntN(3) == 0 {
		mine = []int64{1, 201}
		caller := access.Caller{TokenID: 1, Name: "two", Scopes: access.SitesRead, Blogs: []check.BlogID{1, 201}}
		ctx = rpc.OnBehalf(access.With(ctx, caller))
	}
	last := int64(0)
	for pages := 0; ; pages++ {
		resp, err := w.any().sites.ListSites(ctx, q)
		if err != nil || len(resp.GetSites()) > int(q.GetPageSize()) || pages > 500 {
			t.Fatalf("%v: page %d: %v, %v", q, pages, resp, err)
		}
		for _, s := range resp.GetSites() {
			seen[s.GetSiteId()]++
			if falls := s.GetSiteId() < last; last != 0 && falls != (q.GetOrderBy() == "site_id desc") {
				t.Errorf("%v: %d follows %d", q, s.GetSiteId(), last)
			}
			if last = s.GetSiteId(); !fits(q, s) || mine != nil && !slices.Contains(mine, s.GetBlogId()) {
				t.Errorf("%v lists %v", q, s)
			}
		}
		if q.PageToken = resp.GetNextPageToken(); q.PageToken == "" {
			break
		}
		if pages == 0 {
			w.misuse(t, q)
		}
		w.saysNothing(t, q.GetPageToken(), mine)
		w.disturb(t)
	}
	for _, id := range w.still {
		s := w.any().get(t, id)
		if ok := fits(q, s) && (mine == nil || slices.Contains(mine, s.GetBlogId())); ok && seen[id] != 1 || seen[id] > 1 {
			t.Fatalf("%v: seen %d times: %v", q, seen[id], s)
		}
	}
}

// saysNothing wants a token to name no site of a blog that its caller may not see.
func (w *walkers) saysNothing(t *testing.T, token string, mine []int64) {
	t.Helper()
	named, _, _ := strings.Cut(token, ".")
	id, err := strconv.ParseInt(named, 36, 64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.any().sites.GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: id})
	if err == nil && mine != nil && !slices.Contains(mine, got.GetSite().GetBlogId()) {
		t.Errorf("the token %q names a site of blog %d", token, got.GetSite().GetBlogId())
	}
}

// misuse sends a token with another order or filter, and damaged.
func (w *walkers) misuse(t *testing.T, q *monitorv1.ListSitesRequest) {
	t.Helper()
	for _, spoil := range []func(*monitorv1.ListSitesRequest){
		func(q *monitorv1.ListSitesRequest) { q.Tag += "x" },
		func(q *monitorv1.ListSitesRequest) {
			if q.OrderBy = map[bool]string{true: "site_id", false: "site_id desc"}[q.GetOrderBy() == "site_id desc"]; q.GetState() == 0 {
				q.State = monitorv1.SiteState_SITE_STATE_UP
			}
		},
		func(q *monitorv1.ListSitesRequest) { q.PageToken += "." },
		func(q *monitorv1.ListSitesRequest) { q.PageToken = "-" + q.PageToken },
		func(q *monitorv1.ListSitesRequest) { q.PageToken = "zzzzzzzzzzzzzzzzzz" },
	} {
		bad := proto.CloneOf(q)
		spoil(bad)
		if _, err := w.any().sites.ListSites(t.Context(), bad); status.Code(err) != codes.InvalidArgument || fieldOf(err) != "page_token" {
			t.Errorf("%v with the token of %v: %v", bad, q, err)
		}
	}
}

// disturb edits a restless site in some way, or adds one.
func (w *walkers) disturb(t *testing.T) {
	t.Helper()
	sites, id := w.any().sites, w.restless[w.random.IntN(len(w.restless))]
	update := func(s *monitorv1.Site, paths ...string) error {
		s.SiteId = id
		_, err := sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	var err error
	switch w.random.IntN(7) {
	case 0, 1:
		if len(w.restless) > 60 {
			w.restless = w.restless[1:] // it stays as it is from now on
		}
		var made *monitorv1.CreateSiteResponse
		if made, err = sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: w.site()}); err == nil {
			w.restless = append(w.restless, made.GetSite().GetSiteId())
		}
	case 2:
		_, err = sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: id})
	case 3:
		_, err = sites.PauseSite(t.Context(), &monitorv1.PauseSiteRequest{SiteId: id})
	case 4:
		_, err = sites.ResumeSite(t.Context(), &monitorv1.ResumeSiteRequest{SiteId: id})
	case 5:
		err = update(w.site(), "url", "tags")
	case 6:
		err = update(w.site(), "blog_id", "tags")
	}
	if err != nil && status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
}

// rowOf is a site as it is stored.
func rowOf(s *monitorv1.Site) record.Site {
	blog := check.BlogID(s.GetBlogId())
	return record.Site{BlogID: blog, Bucket: shard.Place(blog, s.GetUrl()), URL: s.GetUrl(), Paused: s.GetPaused(), Tags: s.GetTags(), Interval: 5 * time.Minute}
}

// downSince is the change of a site that went down at a time.
func downSince(row record.Site, at time.Time) record.Change {
	return record.Change{
		Key: fmt.Sprint("down-", row.ID), SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL,
		From: check.StatusRunning, To: check.StatusDown, Start: at, At: at,
		Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer},
	}
}

// A page that is full with the last site that was looked at is not the last page.
func TestAPageThatIsJustFullHasAToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	var rows []*monitorv1.Site
	for i := range 250 {
		rows = append(rows, &monitorv1.Site{Url: fmt.Sprintf("https://%d.example/", i), Paused: true})
	}
	if _, err := r.importing(t.Context(), t, rows); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int32{100, 125, 250} {
		req, found := &monitorv1.ListSitesRequest{PageSize: size, Status: new(int32(check.StatusRunning))}, 0
		for {
			page, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			found += len(page.GetSites())
			if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
		if found != len(rows) {
			t.Errorf("pages of %d: %d sites, want %d", size, found, len(rows))
		}
	}
}
