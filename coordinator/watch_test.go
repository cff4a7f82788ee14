package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/api"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// tellingNobody has a coordinator tell WordPress.com, which is not there: one that is muted would
// take back the changes that a test commits as told.
func tellingNobody(o *coordinator.Options) { o.Notify = notify.Options{URL: "http://127.0.0.1:1/"} }

// fenceOf returns the fence under which the coordinator writes a site, once it owns the shard.
func (r *rig) fenceOf(t *testing.T, row record.Site) (f shard.Fence) {
	t.Helper()
	await(t, "the shard of the site is owned", func() bool {
		leases, err := r.store.ListShards(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(leases, func(l shard.Lease) bool { return l.Shard == shard.Of(row.Bucket) && l.Node != "" })
		if at >= 0 {
			f = leases[at].Fence()
		}
		return at >= 0
	})
	return f
}

// changeTo commits a change of a site under a key.
func (r *rig) changeTo(t *testing.T, site *monitorv1.Site, key string, to check.Status, muted bool) {
	t.Helper()
	row, err := r.store.Site(t.Context(), check.SiteID(site.GetSiteId()))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	results, err := r.store.CommitAll(t.Context(), r.fenceOf(t, row), []record.Change{{
		Key: key, SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL, Muted: muted,
		From: row.Status, To: to, Start: now, At: now, LastCheck: now,
	}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
}

// watching is a stream of changes.
type watching struct {
	t *testing.T
	grpcStream
	token string
	end   context.CancelFunc
}

type grpcStream interface {
	Recv() (*monitorv1.WatchChangesResponse, error)
}

// watch begins a stream, and reads where it begins.
func (r *rig) watch(t *testing.T, ctx context.Context, req *monitorv1.WatchChangesRequest) *watching {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	t.Cleanup(cancel)
	st, err := monitorv1.NewChangeServiceClient(r.conn).WatchChanges(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, grpcStream: st, end: cancel}
	first, err := w.Recv()
	if err != nil || len(first.GetEvents()) > 0 || first.GetResumeToken() == "" {
		t.Fatalf("the first response is %v (%v)", first, err)
	}
	w.token = first.GetResumeToken()
	return w
}

// keys reads until there were n events, and returns their keys.
func (w *watching) keys(n int) (keys []string) {
	w.t.Helper()
	for len(keys) < n {
		m, err := w.Recv()
		if err != nil {
			w.t.Fatalf("after %q: %v", keys, err)
		}
		for _, e := range m.GetEvents() {
			keys = append(keys, e.GetEventId())
		}
		w.token = m.GetResumeToken()
	}
	return keys
}

func (w *watching) want(keys ...string) {
	w.t.Helper()
	if diff := cmp.Diff(keys, w.keys(len(keys))); diff != "" {
		w.t.Fatalf("not what was to come (-want +got):\n%s", diff)
	}
}

// refused begins a stream that must end with a code, and returns the reason.
func (r *rig) refusedWatch(t *testing.T, req *monitorv1.WatchChangesRequest, want codes.Code) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	st, err := monitorv1.NewChangeServiceClient(r.conn).WatchChanges(ctx, req)
	if err == nil {
		_, err = st.Recv()
	}
	if status.Code(err) != want {
		t.Errorf("%v: %v, want %v", req, err, want)
	}
	return watchReason(err)
}

func watchReason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func TestAWatcherGetsEachChangeOnceAndGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	r := startWith(t, tellingNobody)
	a, b := r.create(t, "http://a.example/"), r.create(t, "http://b.example/")
	r.changeTo(t, a, "before", check.StatusDown, false)
	w := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{IncludeMuted: true})
	begun := w.token
	r.changeTo(t, a, "k1", check.StatusConfirmedDown, false)
	w.want("k1")
	middle := w.token
	r.changeTo(t, b, "k2", check.StatusDown, false)
	w.want("k2")
	r.changeTo(t, a, "k3", check.StatusRunning, true)
	w.want("k3")
	w.end()

	all := &monitorv1.WatchChangesRequest{IncludeMuted: true}
	all.ResumeToken = begun
	if got := r.watch(t, t.Context(), all).keys(3); len(got) != 3 || !slices.Contains(got, "k2") || slices.Index(got, "k1") > slices.Index(got, "k3") {
		t.Errorf("from its beginning the stream has %q", got)
	}
	all.ResumeToken = middle
	again := r.watch(t, t.Context(), all)
	if got := slices.Sorted(slices.Values(again.keys(2))); !slices.Equal(got, []string{"k2", "k3"}) {
		t.Errorf("from the middle the stream has %q", got)
	}
	r.changeTo(t, b, "k4", check.StatusRunning, false)
	again.want("k4")
	if got := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{IncludeMuted: true, FromStart: true}).keys(5); !slices.Contains(got, "before") {
		t.Errorf("from the start there is %q", got)
	}
}

func TestAWatcherGetsWhatItsFiltersAdmitAndATokenOfTheRest(t *testing.T) {
	t.Parallel()
	r := startWith(t, tellingNobody)
	a, b := r.create(t, "http://a.example/"), r.create(t, "http://b.example:8080/x")
	none := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{SiteIds: []int64{999}, Heartbeat: durationpb.New(time.Second), IncludeMuted: true})
	streams := map[string]*watching{}
	for name, req := range map[string]*monitorv1.WatchChangesRequest{
		"of a site":      {SiteIds: []int64{b.GetSiteId()}},
		"of a host":      {Hosts: []string{"B.example:8080"}},
		"of a type":      {Types: []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_SITE_UP}},
		"of some values": {SiteIds: []int64{a.GetSiteId(), b.GetSiteId()}, Hosts: []string{"b.example"}, BlogIds: []int64{7}},
	} {
		req.IncludeMuted = true
		streams[name] = r.watch(t, t.Context(), req)
	}
	r.changeTo(t, a, "a-down", check.StatusDown, false)
	r.changeTo(t, b, "b-down", check.StatusDown, false)
	r.changeTo(t, b, "b-up", check.StatusRunning, false)
	r.changeTo(t, b, "b-again", check.StatusDown, false)
	streams["of a site"].want("b-down", "b-up", "b-again")
	streams["of a host"].want("b-down", "b-up", "b-again")
	streams["of a type"].want("b-up")
	streams["of some values"].want("b-down", "b-up", "b-again")

	beat, err := none.Recv()
	for err == nil && beat.GetResumeToken() == none.token {
		beat, err = none.Recv()
	}
	if err != nil || len(beat.GetEvents()) > 0 {
		t.Fatalf("a heartbeat is %v (%v)", beat, err)
	}
	late := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{ResumeToken: beat.GetResumeToken(), IncludeMuted: true})
	r.changeTo(t, a, "a-up", check.StatusRunning, false)
	got := late.keys(1)
	if got[len(got)-1] != "a-up" || slices.Contains(got, "a-down") {
		t.Errorf("after a heartbeat there is %q", got)
	}
}

func TestMutedChangesAreForThoseWhoAskForThem(t *testing.T) {
	t.Parallel()
	r := startWith(t, tellingNobody)
	a, b := r.create(t, "http://a.example/"), r.create(t, "http://b.example/")
	plain := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{})
	r.changeTo(t, a, "quiet", check.StatusDown, true)
	r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{FromStart: true, IncludeMuted: true}).want("quiet")
	r.changeTo(t, b, "loud", check.StatusDown, false)
	plain.want("loud")
}

func TestACallerWatchesItsOwnBlogs(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingNobody)
	admin := as(t, r.token(t, nil, "admin"))
	r.ready(t)
	var sites []*monitorv1.Site
	for _, blog := range []int64{7, 8} {
		made, err := monitorv1.NewSiteServiceClient(r.conn).CreateSite(admin, &monitorv1.CreateSiteRequest{
			Site: &monitorv1.Site{Url: fmt.Sprintf("http://b%d.example/", blog), BlogId: blog}})
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, made.GetSite())
	}
	all := r.watch(t, admin, &monitorv1.WatchChangesRequest{IncludeMuted: true})
	mine := r.watch(t, as(t, r.token(t, []int64{8}, "outages:read")), &monitorv1.WatchChangesRequest{IncludeMuted: true})
	others := r.watch(t, as(t, r.token(t, []int64{8}, "outages:read")), &monitorv1.WatchChangesRequest{IncludeMuted: true, BlogIds: []int64{7}, Heartbeat: durationpb.New(time.Second)})
	r.changeTo(t, sites[0], "k7", check.StatusDown, false)
	r.changeTo(t, sites[1], "k8", check.StatusDown, false)
	mine.want("k8")
	if got := all.keys(2); len(got) != 2 {
		t.Errorf("an admin sees %q", got)
	}
	if m, err := others.Recv(); err != nil || len(m.GetEvents()) > 0 {
		t.Errorf("who asks for another's blog gets %v (%v)", m, err)
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingNobody)
	made, err := api.CreateToken(t.Context(), r.store, api.Deed{Caller: "test"}, &monitorv1.Token{Name: "t", Scopes: []string{"outages:read"}})
	if err != nil {
		t.Fatal(err)
	}
	w := r.watch(t, as(t, made.GetSecret()), &monitorv1.WatchChangesRequest{Heartbeat: durationpb.New(time.Second)})
	if _, err := api.RevokeToken(t.Context(), r.store, api.Deed{}, made.GetToken().GetTokenId()); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("after its token was revoked the stream ends with %v", err)
	}
}

func TestAStreamEndsWithItsCoordinator(t *testing.T) {
	t.Parallel()
	r := startWith(t, tellingNobody)
	w := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{})
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	_, err := w.Recv()
	if status.Code(err) != codes.Unavailable || watchReason(err) != "STOPPING" {
		t.Errorf("the stream ends with %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the coordinator needed %s to stop", took)
	}
}

func TestTokensThatCannotBeKept(t *testing.T) {
	t.Parallel()
	r := startWith(t, tellingNobody)
	a := r.create(t, "http://a.example/")
	good := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{}).token
	parsed, err := event.ParseToken(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.ToLower(good)
	foreign := event.Token{Database: parsed.Database + 1, Positions: parsed.Positions}.String()
	for _, req := range []*monitorv1.WatchChangesRequest{
		{ResumeToken: "nonsense"}, {ResumeToken: damaged}, {ResumeToken: foreign}, {ResumeToken: good, FromStart: true},
		{Hosts: []string{"http://a/"}}, {Heartbeat: durationpb.New(time.Minute)}, {SiteIds: []int64{0}}, {Tags: []string{""}},
		{Types: []monitorv1.EventType{0}}, {Types: []monitorv1.EventType{99}},
	} {
		r.refusedWatch(t, req, codes.InvalidArgument)
	}
	ahead := parsed
	ahead.Positions[3] += 1000
	if reason := r.refusedWatch(t, &monitorv1.WatchChangesRequest{ResumeToken: ahead.String()}, codes.OutOfRange); reason != "RESUME_TOKEN_AHEAD" {
		t.Errorf("a token of the future is refused as %q", reason)
	}
	r.changeTo(t, a, "k1", check.StatusDown, false)
	row, err := r.store.Site(t.Context(), check.SiteID(a.GetSiteId()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Expire(t.Context(), r.fenceOf(t, row), store.Expiry{Events: time.Now().Add(time.Hour)}, 10); err != nil {
		t.Fatal(err)
	}
	if reason := r.refusedWatch(t, &monitorv1.WatchChangesRequest{ResumeToken: good}, codes.OutOfRange); reason != "RESUME_TOKEN_EXPIRED" {
		t.Errorf("a token before what has expired is refused as %q", reason)
	}
	w := r.watch(t, t.Context(), &monitorv1.WatchChangesRequest{FromStart: true, IncludeMuted: true})
	r.changeTo(t, a, "k2", check.StatusConfirmedDown, false)
	w.want("k2")
}
