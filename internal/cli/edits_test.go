package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// registry is a coordinator that keeps sites as the contract has it. before is called before
// each call, with its name, and may refuse it; after it was done, lose may lose its answer.
type registry struct {
	monitorv1.UnimplementedSiteServiceServer
	before, lose func(method string) error
	// together is how many rows of an import are answered at once.
	together int

	mu    sync.Mutex
	sites map[int64]*monitorv1.Site
	keys  map[string]int64
	edits int
}

func newRegistry(urls ...string) *registry {
	r := &registry{together: 3, sites: map[int64]*monitorv1.Site{}, keys: map[string]int64{}}
	for _, url := range urls {
		r.put(&monitorv1.Site{Url: url})
	}
	return r
}

func (r *registry) put(s *monitorv1.Site) *monitorv1.Site {
	r.edits++
	s = proto.Clone(s).(*monitorv1.Site)
	if s.SiteId == 0 {
		s.SiteId = int64(len(r.sites) + 1)
	}
	s.Etag = fmt.Sprint("etag-", r.edits)
	r.sites[s.SiteId] = s
	return proto.Clone(s).(*monitorv1.Site)
}

// do runs a call.
func do[T any](r *registry, method string, f func() (T, error)) (resp T, err error) {
	if r.before != nil {
		if err := r.before(method); err != nil {
			return resp, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if resp, err = f(); err == nil && r.lose != nil {
		err = r.lose(method)
	}
	return resp, err
}

func (r *registry) get(id int64, etag string) (*monitorv1.Site, error) {
	s, ok := r.sites[id]
	switch {
	case !ok:
		return nil, status.Errorf(codes.NotFound, "there is no site %d", id)
	case etag != "" && etag != s.GetEtag():
		return nil, status.Errorf(codes.Aborted, "site %d has another etag", id)
	}
	return proto.Clone(s).(*monitorv1.Site), nil
}

func (r *registry) GetSite(_ context.Context, req *monitorv1.GetSiteRequest) (*monitorv1.GetSiteResponse, error) {
	return do(r, "get", func() (*monitorv1.GetSiteResponse, error) {
		s, err := r.get(req.GetSiteId(), "")
		return &monitorv1.GetSiteResponse{Site: s}, err
	})
}

func (r *registry) BatchGetSites(_ context.Context, req *monitorv1.BatchGetSitesRequest) (*monitorv1.BatchGetSitesResponse, error) {
	resp := &monitorv1.BatchGetSitesResponse{}
	for _, id := range req.GetSiteIds() {
		if s, err := r.get(id, ""); err == nil {
			resp.Sites = append(resp.Sites, s)
		}
	}
	return resp, nil
}

func (r *registry) CreateSite(_ context.Context, req *monitorv1.CreateSiteRequest) (*monitorv1.CreateSiteResponse, error) {
	return do(r, "create", func() (*monitorv1.CreateSiteResponse, error) {
		if id, known := r.keys[req.GetIdempotencyKey()]; known {
			return &monitorv1.CreateSiteResponse{Site: r.sites[id]}, nil
		}
		if strings.HasPrefix(req.GetSite().GetUrl(), "bad") {
			return nil, fault.InvalidField("site.url", "must be a URL")
		}
		s := r.put(req.GetSite())
		r.keys[req.GetIdempotencyKey()] = s.GetSiteId()
		return &monitorv1.CreateSiteResponse{Site: s}, nil
	})
}

func (r *registry) UpdateSite(_ context.Context, req *monitorv1.UpdateSiteRequest) (*monitorv1.UpdateSiteResponse, error) {
	return do(r, "update", func() (*monitorv1.UpdateSiteResponse, error) {
		s, err := r.get(req.GetSite().GetSiteId(), req.GetSite().GetEtag())
		if err != nil {
			return nil, err
		}
		for _, path := range req.GetUpdateMask().GetPaths() {
			switch path {
			case "tags":
				s.Tags = req.GetSite().GetTags()
			case "check_interval":
				s.CheckInterval = req.GetSite().GetCheckInterval()
			default:
				return nil, fault.InvalidField(path, "is no field")
			}
		}
		return &monitorv1.UpdateSiteResponse{Site: r.put(s)}, nil
	})
}

func (r *registry) PauseSite(_ context.Context, req *monitorv1.PauseSiteRequest) (*monitorv1.PauseSiteResponse, error) {
	return do(r, "pause", func() (*monitorv1.PauseSiteResponse, error) {
		s, err := r.get(req.GetSiteId(), req.GetEtag())
		if err != nil {
			return nil, err
		}
		s.Paused = true
		return &monitorv1.PauseSiteResponse{Site: r.put(s)}, nil
	})
}

func (r *registry) DeleteSite(_ context.Context, req *monitorv1.DeleteSiteRequest) (*monitorv1.DeleteSiteResponse, error) {
	return do(r, "delete", func() (*monitorv1.DeleteSiteResponse, error) {
		_, err := r.get(req.GetSiteId(), req.GetEtag())
		if err == nil {
			delete(r.sites, req.GetSiteId())
		}
		return &monitorv1.DeleteSiteResponse{}, err
	})
}

func (r *registry) CheckSite(_ context.Context, req *monitorv1.CheckSiteRequest) (*monitorv1.CheckSiteResponse, error) {
	return do(r, "check", func() (*monitorv1.CheckSiteResponse, error) {
		outcomes := []checkv1.Outcome{checkv1.Outcome_OUTCOME_UP, checkv1.Outcome_OUTCOME_UP, checkv1.Outcome_OUTCOME_DOWN, checkv1.Outcome_OUTCOME_UNKNOWN}
		_, err := r.get(req.GetSiteId(), "")
		return &monitorv1.CheckSiteResponse{Observation: &checkv1.Observation{Outcome: outcomes[req.GetSiteId()%4], HttpStatus: 200}}, err
	})
}

// client connects to a registry; what is written to Err comes first.
func (r *registry) client(t *testing.T) (Client, *bytes.Buffer) {
	t.Helper()
	return connectTo(t, r)
}

// flaky fails the first n calls.
func flaky(n int) func(string) error {
	return func(string) error {
		if n--; n >= 0 {
			return status.Error(codes.Unavailable, "draining")
		}
		return nil
	}
}

func these(ids ...int64) IDs {
	return IDs{Many: len(ids) > 1, All: func(yield func(int64, error) bool) {
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}}
}

func urls(all ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, u := range all {
			if !yield(u, nil) {
				return
			}
		}
	}
}

func TestASiteIsAddedOnceAlthoughItsAnswerIsLost(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	r.lose = flaky(2)
	c, out := r.client(t)
	if err := c.AddSites(t.Context(), NewSites{URLs: urls("http://a.example/"), Like: &monitorv1.Site{BlogId: 7, Tags: []string{"x"}}}); err != nil {
		t.Fatal(err)
	}
	if len(r.sites) != 1 || r.sites[1].GetBlogId() != 7 || len(r.keys) != 1 || !strings.Contains(out.String(), "http://a.example/") {
		t.Errorf("%v, keys %v: %s", r.sites, r.keys, out)
	}
	for key := range r.keys {
		if len(key) < 16 {
			t.Errorf("the key %q can be guessed", key)
		}
	}
}

func TestASiteThatIsRefusedStopsNoOther(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	c, out := r.client(t)
	err := c.AddSites(t.Context(), NewSites{URLs: urls("http://a.example/", "bad\a", "http://b.example/"), Many: true, Like: &monitorv1.Site{}})
	if err == nil || err.Error() != "1 of 3 sites were refused" || len(r.sites) != 2 || len(r.keys) != 2 || !strings.Contains(out.String(), "bad?: site.url: must be a URL\n") {
		t.Errorf("%v, %d sites: %s", err, len(r.sites), out)
	}
	out.Reset()
	if err := c.PauseSites(t.Context(), these(1, 9, 2), ""); err == nil || err.Error() != "1 of 3 sites were refused" || !r.sites[2].GetPaused() || !strings.Contains(out.String(), "site 9: there is no site 9\n") {
		t.Errorf("%v: %s", err, out)
	}
	out.Reset()
	if err := c.PauseSites(t.Context(), these(9), ""); err == nil || err.Error() != "there is no site 9" || out.Len() > 0 {
		t.Errorf("a single one: %v: %s", err, out)
	}
}

func TestPeopleSeeWhatIsDoneWhileItIsDone(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	var ids []int64
	for n := range 3 * shownAfter {
		r.put(&monitorv1.Site{Url: fmt.Sprintf("http://%d.example/", n)})
		ids = append(ids, int64(n+1))
	}
	for _, output := range []Output{Text, NDJSON} {
		c, out := r.client(t)
		c.Output = output
		calls := 0
		r.before = func(string) error {
			if written := strings.Count(out.String(), ".example/"); written < calls-shownAfter {
				t.Errorf("%s: %d calls, and %d are written", output, calls, written)
			}
			calls++
			return nil
		}
		if err := c.PauseSites(t.Context(), these(ids...), ""); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTroubleOfTheCoordinatorStopsAll(t *testing.T) {
	t.Parallel()
	r := newRegistry("http://a.example/", "http://b.example/", "http://c.example/")
	calls := 0
	r.before = func(string) error {
		if calls++; calls > 1 {
			return status.Error(codes.Unavailable, "draining")
		}
		return nil
	}
	c, out := r.client(t)
	err := c.PauseSites(t.Context(), these(1, 2, 3), "")
	if err == nil || !strings.Contains(err.Error(), "site 2: the coordinator at coordinator: draining (Unavailable)") || !strings.Contains(err.Error(), "(1 site done before)") {
		t.Errorf("%v: %s", err, out)
	}
	if calls != 1+1+len(patience) {
		t.Errorf("%d calls: one that is good, one that is not and is repeated %d times", calls, len(patience))
	}
}

func TestWhoInterruptsIsToldHowFarItCame(t *testing.T) {
	t.Parallel()
	r := newRegistry("http://a.example/", "http://b.example/")
	ctx, cancel := context.WithCancel(t.Context())
	r.before = func(string) error { cancel(); return nil } // while the first call is under way
	c, _ := r.client(t)
	err := c.PauseSites(ctx, these(1, 2), "")
	if _, ok := errors.AsType[Interrupted](err); !ok || !strings.Contains(err.Error(), "1 site done, those from 2 on are not") || !r.sites[1].GetPaused() || r.sites[2].GetPaused() {
		t.Errorf("%v, %v", err, r.sites)
	}
}

func TestTagsAreChangedAsTheyWereRead(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	r.put(&monitorv1.Site{Url: "http://a.example/", Tags: []string{"eu", "old"}})
	// Somebody adds a tag between the reading and the edit, twice.
	between := 2
	r.before = func(method string) error {
		if method == "update" && between > 0 {
			r.mu.Lock()
			defer r.mu.Unlock()
			s := r.sites[1]
			s.Tags = append(s.Tags, fmt.Sprint("theirs-", between))
			r.put(s)
			between--
		}
		return nil
	}
	c, _ := r.client(t)
	if err := c.EditSite(t.Context(), Edit{Site: &monitorv1.Site{SiteId: 1}, AddTags: []string{"new", "eu"}, RemoveTags: []string{"old", "none"}}); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(r.sites[1].GetTags()))
	if want := []string{"eu", "new", "theirs-1", "theirs-2"}; !slices.Equal(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
	// Who gives an etag wants no second attempt.
	between = 1
	err := c.EditSite(t.Context(), Edit{Site: &monitorv1.Site{SiteId: 1}, AddTags: []string{"x"}, IfMatch: r.sites[1].GetEtag()})
	if err == nil || err.Error() != "site 1 has another etag" || slices.Contains(r.sites[1].GetTags(), "x") {
		t.Errorf("with an old etag: %v", err)
	}
}

func TestASiteIsDeletedAlthoughItsAnswerIsLost(t *testing.T) {
	t.Parallel()
	r := newRegistry("http://a.example/")
	r.lose = flaky(1)
	c, out := r.client(t)
	if err := c.DeleteSites(t.Context(), these(1), ""); err != nil || len(r.sites) != 0 || out.String() != "Site 1 is deleted. Its outages stay readable.\n" {
		t.Errorf("%v: %s", err, out)
	}
	if err := c.DeleteSites(t.Context(), these(1), ""); err == nil || err.Error() != "there is no site 1" {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestWhatSeveralSitesPrintAsJSON(t *testing.T) {
	t.Parallel()
	r := newRegistry("http://a.example/", "http://b.example/")
	for output, want := range map[Output][2]string{
		JSON:   {"{\n  \"deleted\": [\n    \"1\",\n    \"2\"\n  ]\n}\n", `{"site_id":"3","observation":{`},
		NDJSON: {"{\"site_id\":\"1\"}\n{\"site_id\":\"2\"}\n", `{"site_id":"3","observation":{`},
		Text:   {"Site 1 is deleted. Its outages stay readable.\nSite 2 is deleted. Its outages stay readable.\n", "Site 3 is unknown: "},
	} {
		r.sites = map[int64]*monitorv1.Site{1: {SiteId: 1}, 2: {SiteId: 2}, 3: {SiteId: 3}}
		c, out := r.client(t)
		c.Output = output
		if err := c.DeleteSites(t.Context(), these(1, 2), ""); err != nil || out.String() != want[0] {
			t.Errorf("%s: %v: %s, want %s", output, err, out, want[0])
		}
		out.Reset()
		if _, err := c.CheckSites(t.Context(), these(3, 3)); err != nil || !strings.HasPrefix(out.String(), want[1]) || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("%s: %v: %s, want %s", output, err, out, want[1])
		}
	}
}

func TestTheWorstOutcomeOfChecksCounts(t *testing.T) {
	t.Parallel()
	r := newRegistry("u", "u", "u", "u")
	c, _ := r.client(t)
	for _, tt := range []struct {
		ids  []int64
		want checkv1.Outcome
	}{
		{[]int64{1, 4}, checkv1.Outcome_OUTCOME_UP},
		{[]int64{1, 3, 4}, checkv1.Outcome_OUTCOME_UNKNOWN},
		{[]int64{3, 2, 1}, checkv1.Outcome_OUTCOME_DOWN},
		{[]int64{2, 3}, checkv1.Outcome_OUTCOME_DOWN},
	} {
		if got, err := c.CheckSites(t.Context(), these(tt.ids...)); err != nil || got != tt.want {
			t.Errorf("%v: %v, %v, want %v", tt.ids, got, err, tt.want)
		}
	}
}
