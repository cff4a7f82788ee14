package checker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestRealSitesOverARealNetwork(t *testing.T) {
	t.Parallel()
	works, fails := fakesite.New(t), fakesite.New(t)
	fails.SetStatus(503)
	p, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	c, addr := serve(t, rpc.TCP(), "127.0.0.1:0")
	start(t, rpc.TCP(), p, nil, addr)
	k := c.accept(t)
	k.awaitCredit()
	k.assign(1, works.URL(), fails.URL(), "http://127.0.0.1:1/")
	got := map[int64]string{}
	for len(got) < 3 {
		r := k.results()
		k.ack(r)
		for _, result := range r.GetResults() {
			o := result.GetObservation()
			got[result.GetSiteId()] = o.GetOutcome().String() + " " + o.GetFailure().String()
			if o.GetTimings().GetTotalMicros() == 0 {
				t.Errorf("site %d took no time: %v", result.GetSiteId(), o)
			}
		}
	}
	want := map[int64]string{
		1: checkv1.Outcome_OUTCOME_UP.String() + " " + checkv1.FailureKind_FAILURE_KIND_UNSPECIFIED.String(),
		2: checkv1.Outcome_OUTCOME_DOWN.String() + " " + checkv1.FailureKind_FAILURE_KIND_SERVER.String(),
		3: checkv1.Outcome_OUTCOME_DOWN.String() + " " + checkv1.FailureKind_FAILURE_KIND_CONNECT.String(),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
