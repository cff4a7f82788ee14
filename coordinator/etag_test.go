package coordinator_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// isMismatch reports whether an edit was refused for its etag.
func isMismatch(err error) bool {
	return status.Code(err) == codes.Aborted && slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool {
		info, ok := d.(*errdetails.ErrorInfo)
		return ok && info.GetReason() == "ETAG_MISMATCH" && info.GetMetadata()["etag"] != ""
	})
}

// Every edit of a site gives it another etag, and each coordinator the same.
func TestAnEditUnderAnOldETagIsRefusedAndMakesNothing(t *testing.T) {
	t.Parallel()
	for name, start := range systems() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := start(t, rpc.NewMemory())
			a := members["a"]
			id := a.make(t, 7, "http://example.com/").GetSiteId()
			seen := map[string]string{}
			for i, path := range paths() {
				for _, m := range members {
					old := m.get(t, id)
					if before, known := seen[old.GetEtag()]; old.GetEtag() == "" || known && before != path {
						t.Fatalf("the etag %q is that of before %q", old.GetEtag(), before)
					}
					seen[old.GetEtag()] = path
				}
				old := a.get(t, id)
				if err := a.patch(t.Context(), id, path, edits()[path](10+12*i)); err != nil {
					t.Fatal(err)
				}
				current := a.get(t, id)
				for node, m := range members {
					for what, err := range map[string]error{
						"an edit":             second(m.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, Etag: old.GetEtag(), Url: "http://lost.example/"}})),
						"an edit of nothing":  second(m.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, Etag: old.GetEtag()}})),
						"a deletion":          second(m.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: id, Etag: old.GetEtag()})),
						"an edit under a lie": second(m.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, Etag: "-", Paused: true}})),
					} {
						if !isMismatch(err) {
							t.Errorf("after an edit of %s, %s through %s: %v", path, what, node, err)
						}
					}
				}
				if now := a.get(t, id); now.GetEtag() != current.GetEtag() || now.GetUrl() != current.GetUrl() {
					t.Errorf("a refused edit was made: %v, was %v", now, current)
				}
			}
			current := a.get(t, id)
			kept, err := a.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
				Site:       &monitorv1.Site{SiteId: id, Etag: current.GetEtag(), Paused: current.GetPaused()},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"paused", "etag"}},
			})
			if err != nil || kept.GetSite().GetEtag() != current.GetEtag() {
				t.Errorf("an edit that changes nothing, with the etag in the mask: %v, %v", kept, err)
			}
			if _, err := a.sites.DeleteSite(t.Context(), &monitorv1.DeleteSiteRequest{SiteId: id, Etag: current.GetEtag()}); err != nil {
				t.Error("a deletion under the current etag:", err)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// What GET answered can be sent back, however often the site was checked meanwhile; it is
// refused once somebody has edited the site.
func TestAGETSentBackIsRefusedAfterAnEditOnly(t *testing.T) {
	t.Parallel()
	network := rpc.NewMemory()
	a := systems()["SQLite"](t, network)["a"]
	rest := serveREST(t, network, "a")
	checker := a.checker(t)
	id := a.make(t, 7, "http://example.com/").GetSiteId()
	body, before := rest.site(t, id)
	a.check(t, checker)
	path := fmt.Sprint("/v1/sites/", id)
	if code, answer, err := rest.call(t.Context(), http.MethodPatch, path, body); err != nil || code != http.StatusOK {
		t.Errorf("sent back after a check: %d %s %v", code, answer, err)
	}
	if _, now := rest.site(t, id); now.GetEtag() != before.GetEtag() || now.GetState() != monitorv1.SiteState_SITE_STATE_UP {
		t.Errorf("a check changed the etag: %s, was %s", now.GetEtag(), before.GetEtag())
	}
	if code, answer, err := rest.call(t.Context(), http.MethodPatch, path, `{"check_interval":"120s"}`); err != nil || code != http.StatusOK {
		t.Errorf("an edit of another: %d %s %v", code, answer, err)
	}
	code, answer, err := rest.call(t.Context(), http.MethodPatch, path, body)
	if err != nil || code != http.StatusPreconditionFailed || !strings.Contains(string(answer), "ETAG_MISMATCH") {
		t.Errorf("sent back after an edit: %d %s %v", code, answer, err)
	}
	if _, now := rest.site(t, id); now.GetCheckInterval().AsDuration() != 2*time.Minute {
		t.Errorf("the edit is lost: %s", now.GetCheckInterval().AsDuration())
	}
}

// Many callers raise a number at once, each by what it has read and if nobody else was first.
func TestNoEditIsLostOfThoseThatReadFirst(t *testing.T) {
	t.Parallel()
	for name, start := range systems() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := start(t, rpc.NewMemory())
			id := members["a"].make(t, 7, "http://example.com/").GetSiteId()
			const each, callers = 10, 6
			names := slices.Sorted(maps.Keys(members))
			first := members["a"].get(t, id).GetCheckInterval().AsDuration()
			var all sync.WaitGroup
			for i := range callers {
				m := members[names[i%len(names)]]
				all.Go(func() {
					for done := 0; done < each; {
						site := m.get(t, id)
						site.CheckInterval = durationpb.New(site.GetCheckInterval().AsDuration() + time.Minute)
						switch _, err := m.sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: site}); {
						case err == nil:
							done++
						case !isMismatch(err):
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			want := first + each*callers*time.Minute
			if got := members["a"].get(t, id).GetCheckInterval().AsDuration(); got != want {
				t.Errorf("%s after %d edits, want %s", got, each*callers, want)
			}
		})
	}
}
