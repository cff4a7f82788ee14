package coordinator_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// diagnoserFunc answers instead of a site.
type diagnoserFunc func(ctx context.Context, t jetpack.Target) (*jetpack.Report, error)

func (f diagnoserFunc) Diagnose(ctx context.Context, t jetpack.Target) (*jetpack.Report, error) {
	return f(ctx, t)
}

func diagnose(ctx context.Context, r *rig, site int64) (*monitorv1.Diagnosis, error) {
	resp, err := monitorv1.NewDiagnosisServiceClient(r.conn).DiagnoseSite(ctx, &monitorv1.DiagnoseSiteRequest{SiteId: site})
	return resp.GetDiagnosis(), err
}

func TestASiteIsDiagnosedOverGRPC(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.SetHandler(fakejetpack.New(fakejetpack.Options{Obstacle: fakejetpack.Cloudflare}).ServeHTTP)
	prober, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prober.Close() })
	d, err := jetpack.New(jetpack.Options{Prober: prober, MetadataURL: jetpack.NoMetadata})
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, func(o *coordinator.Options) { o.Diagnoser = d })
	id := r.create(t, site.URL()).GetSiteId()
	got, err := diagnose(t.Context(), r, id)
	if err != nil || got.GetUrl() != site.URL() || got.GetCause() != "firewall_cloudflare" || got.GetCauseCheck() != "xmlrpc_get" || len(got.GetFindings()) < 20 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, f := range got.GetFindings() {
		if f.GetCheck() == "signed_by_blog" && f.GetVerdict() != monitorv1.FindingVerdict_FINDING_VERDICT_SKIPPED {
			t.Errorf("signed without a token: %v", f)
		}
	}
	answered, err := monitorv1.NewDiagnosisServiceClient(r.conn).DiagnoseSite(t.Context(), &monitorv1.DiagnoseSiteRequest{SiteId: id, Symptom: "Error updating settings"})
	if a := answered.GetDiagnosis().GetSymptom(); err != nil || a.GetSymptom() != "settings_error" || len(a.GetCauses()) == 0 || len(a.GetUnknown()) == 0 || got.GetSymptom() != nil {
		t.Errorf("%v, %v", a, err)
	}
	for _, bad := range []string{"my cat is ill", strings.Repeat("x", 201)} {
		if _, err := monitorv1.NewDiagnosisServiceClient(r.conn).DiagnoseSite(t.Context(), &monitorv1.DiagnoseSiteRequest{SiteId: id, Symptom: bad}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestADiagnosisEndsBeforeItsCallerGivesUp(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.Hang()
	prober, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prober.Close() })
	d, err := jetpack.New(jetpack.Options{Prober: prober, MetadataURL: jetpack.NoMetadata})
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, func(o *coordinator.Options) { o.Diagnoser = d })
	id := r.create(t, site.URL()).GetSiteId()
	// It ends 150 ms before its caller gives up. A busy machine may lose that, and not always.
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		got, err := diagnose(ctx, r, id)
		cancel()
		switch {
		case err == nil && got.GetCauseCheck() != "":
			return
		case status.Code(err) != codes.DeadlineExceeded:
			t.Fatalf("%v, %v", got, err)
		}
	}
	t.Error("five callers gave up")
}

func TestDiagnosesAreBoundedAndErrorsAreNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, begun := make(chan struct{}), make(chan string, 100)
		r := startWith(t, func(o *coordinator.Options) {
			o.Diagnoser = diagnoserFunc(func(_ context.Context, target jetpack.Target) (*jetpack.Report, error) {
				if target.URL == "http://bad.example/" {
					return nil, errors.New("url is bad")
				}
				begun <- target.URL
				<-release
				return &jetpack.Report{URL: target.URL}, nil
			})
		})
		id := r.create(t, "http://example.com/").GetSiteId()
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				if got, err := diagnose(t.Context(), r, id); err != nil || got.GetUrl() != "http://example.com/" {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		for range 8 {
			<-begun
		}
		_, err := diagnose(t.Context(), r, id)
		retry := false
		for _, d := range status.Convert(err).Details() {
			_, ok := d.(*errdetails.RetryInfo)
			retry = retry || ok
		}
		if status.Code(err) != codes.ResourceExhausted || !retry {
			t.Errorf("the ninth: %v", err)
		}
		close(release)
		running.Wait()
		for name, tt := range map[string]struct {
			site int64
			want codes.Code
		}{
			"no id": {0, codes.InvalidArgument}, "an unknown site": {999, codes.NotFound}, "after the others": {id, codes.OK},
			"a URL that is none": {r.create(t, "http://bad.example/").GetSiteId(), codes.FailedPrecondition},
		} {
			if _, err := diagnose(t.Context(), r, tt.site); status.Code(err) != tt.want {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		without := start(t)
		if _, err := diagnose(t.Context(), without, without.create(t, "http://example.com/").GetSiteId()); status.Code(err) != codes.Unavailable {
			t.Errorf("without a diagnoser: %v", err)
		}
	})
}
