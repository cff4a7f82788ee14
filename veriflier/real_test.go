package veriflier_test

import (
	"net/netip"
	"testing"

	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/veriflier"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

func TestRealSitesOverARealNetwork(t *testing.T) {
	t.Parallel()
	works, fails, private := fakesite.New(t), fakesite.New(t), fakesite.New(t)
	fails.SetStatus(503)
	// The first two are exceptions to the address policy; the third is not.
	p, err := probe.New(probe.Options{Allowed: []netip.AddrPort{works.Addr(), fails.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	r := start(t, &prober{answer: p.Probe}, func(o *veriflier.Options) { o.Prober = p }, rpc.TCP(), "127.0.0.1:0")
	tests := []struct {
		name, url string
		outcome   checkv1.Outcome
		failure   checkv1.FailureKind
	}{
		{"a site that works", works.URL(), checkv1.Outcome_OUTCOME_UP, checkv1.FailureKind_FAILURE_KIND_UNSPECIFIED},
		{"a site that fails", fails.URL(), checkv1.Outcome_OUTCOME_DOWN, checkv1.FailureKind_FAILURE_KIND_SERVER},
		{"a site that may not be probed", private.URL(), checkv1.Outcome_OUTCOME_UNKNOWN, checkv1.FailureKind_FAILURE_KIND_POLICY},
	}
	for _, tt := range tests {
		a, err := r.Verify(t.Context(), &veriflierv1.VerifyRequest{RequestId: tt.outcome.String(), Target: &checkv1.Target{Url: tt.url}})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if o := a.GetObservation(); o.GetOutcome() != tt.outcome || o.GetFailure() != tt.failure {
			t.Errorf("%s: %v", tt.name, o)
		}
	}
	if n := len(private.Log()); n != 0 {
		t.Errorf("the site that may not be probed got %d requests", n)
	}
}
