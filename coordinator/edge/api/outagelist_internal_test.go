package api

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// shelf is a store with many outages: of outage i the site is i%10+1 and the blog i%3+1. Those of
// site 7 have the tag "shop", and every 1000th is the failure of a name and lasted for an hour.
type shelf struct {
	store.Store
	rows  []record.Outage
	reads int
}

func newShelf(n int) *shelf {
	s := &shelf{}
	for i := n; i >= 1; i-- {
		at := time.UnixMilli(int64(i) * 1000)
		o := record.Outage{
			ID: int64(i), SiteID: check.SiteID(i%10 + 1), BlogID: check.BlogID(i%3 + 1), URL: fmt.Sprintf("https://s%d.example/", i%10+1),
			Start: at, Confirmed: at, End: at.Add(time.Minute), Failure: check.FailureServer,
		}
		if i%1000 == 0 {
			o.Failure, o.End, o.Regions = check.FailureDNS, at.Add(time.Hour), []string{"asia", "europe"}
		}
		s.rows = append(s.rows, o)
	}
	return s
}

func (s *shelf) ListOutages(_ context.Context, q store.OutageQuery) (page []record.Outage, err error) {
	s.reads++
	for _, o := range s.rows {
		if (q.Before.ID == 0 || o.ID < q.Before.ID) && (len(q.Blogs) == 0 || slices.Contains(q.Blogs, o.BlogID)) && len(page) < q.Limit {
			page = append(page, o)
		}
	}
	return page, nil
}

func (s *shelf) SitesByID(_ context.Context, ids []check.SiteID) (sites []record.Site, err error) {
	if slices.Contains(ids, 7) {
		sites = append(sites, record.Site{ID: 7, Tags: []string{"shop"}})
	}
	return sites, nil
}

// walk lists all pages of a request, and returns the ids and the number of pages.
func walk(t *testing.T, s *shelf, caller access.Caller, req *monitorv1.ListOutagesRequest) (ids []int64, pages int) {
	t.Helper()
	service := newOutages(Options{Store: visible{s}})
	for {
		before := s.reads
		resp, err := service.ListOutages(access.With(t.Context(), caller), req)
		if err != nil {
			t.Fatal(err)
		}
		if s.reads-before > mostOutages/outagesAtOnce || len(resp.GetOutages()) > pageSize(req.GetPageSize()) {
			t.Errorf("a page took %d readings and has %d outages", s.reads-before, len(resp.GetOutages()))
		}
		pages++
		for _, o := range resp.GetOutages() {
			ids = append(ids, o.GetOutageId())
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			return ids, pages
		}
	}
}

func TestFiltersOfOutagesFindAllThatFitEachOnce(t *testing.T) {
	t.Parallel()
	const n = 12_000
	for name, c := range map[string]struct {
		req  *monitorv1.ListOutagesRequest
		fits func(i int) bool
	}{
		"all":              {&monitorv1.ListOutagesRequest{}, func(int) bool { return true }},
		"a rare failure":   {&monitorv1.ListOutagesRequest{Failure: checkv1.FailureKind_FAILURE_KIND_DNS}, func(i int) bool { return i%1000 == 0 }},
		"that lasted":      {&monitorv1.ListOutagesRequest{MinDuration: durationpb.New(2 * time.Minute), PageSize: 3}, func(i int) bool { return i%1000 == 0 }},
		"a host":           {&monitorv1.ListOutagesRequest{Host: "S3.example", PageSize: 1000}, func(i int) bool { return i%10 == 2 }},
		"a tag":            {&monitorv1.ListOutagesRequest{Tag: "shop", PageSize: 7}, func(i int) bool { return i%10 == 6 }},
		"a region":         {&monitorv1.ListOutagesRequest{Region: "europe"}, func(i int) bool { return i%1000 == 0 }},
		"no such region":   {&monitorv1.ListOutagesRequest{Region: "euro"}, func(int) bool { return false }},
		"a blog":           {&monitorv1.ListOutagesRequest{BlogId: 2, PageSize: 1000}, func(i int) bool { return i%3 == 1 }},
		"a blog and a tag": {&monitorv1.ListOutagesRequest{BlogId: 2, Tag: "shop"}, func(i int) bool { return i%3 == 1 && i%10 == 6 }},
		"nothing":          {&monitorv1.ListOutagesRequest{Failure: checkv1.FailureKind_FAILURE_KIND_TLS}, func(int) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []int64
			for i := n; i >= 1; i-- {
				if c.fits(i) {
					want = append(want, int64(i))
				}
			}
			got, pages := walk(t, newShelf(n), access.Anybody(), c.req)
			if !slices.Equal(got, want) {
				t.Errorf("%d outages in %d pages, want %d", len(got), pages, len(want))
			}
		})
	}
}

func TestAFilterByBlogShowsALimitedCallerNoOther(t *testing.T) {
	t.Parallel()
	mine := access.Caller{TokenID: 1, Scopes: access.OutagesRead, Blogs: []check.BlogID{1, 2}}
	if got, _ := walk(t, newShelf(30), mine, &monitorv1.ListOutagesRequest{BlogId: 3}); len(got) != 0 {
		t.Errorf("another blog's outages: %v", got)
	}
	if got, _ := walk(t, newShelf(30), mine, &monitorv1.ListOutagesRequest{BlogId: 2}); len(got) != 10 {
		t.Errorf("its own blog's outages: %v", got)
	}
	if got, _ := walk(t, newShelf(30), mine, &monitorv1.ListOutagesRequest{}); len(got) != 20 {
		t.Errorf("those of its blogs: %v", got)
	}
	service := newOutages(Options{Store: visible{newShelf(1)}})
	if _, err := service.ListOutages(t.Context(), &monitorv1.ListOutagesRequest{Host: "a b"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a host that is none: %v", err)
	}
}

// slow is a store whose lists take a while.
type slow struct {
	store.Store
	busy
}

func (s *slow) ListOutages(ctx context.Context, _ store.OutageQuery) ([]record.Outage, error) {
	return nil, s.work(ctx)
}

// Of a hundred who search for outages at once, some are answered and the others told so, and who
// only pages through them does not wait.
func TestWhoSearchesOutagesDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &slow{busy: busy{takes: time.Second}}
		service := newOutages(Options{Store: inner})
		var all sync.WaitGroup
		var refused atomic.Int32
		for range 100 {
			all.Go(func() {
				if _, err := service.ListOutages(t.Context(), &monitorv1.ListOutagesRequest{Region: "europe"}); fault.Is(err, fault.Exhausted) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if _, err := service.ListOutages(t.Context(), &monitorv1.ListOutagesRequest{}); err != nil || time.Since(began) != inner.takes {
			t.Errorf("a page without a filter took %v, %v", time.Since(began), err)
		}
		all.Wait()
		if inner.most.Load() != outageSearches+1 || refused.Load() == 0 || refused.Load() > 90 {
			t.Errorf("%d at once, %d refused", inner.most.Load(), refused.Load())
		}
	})
}
