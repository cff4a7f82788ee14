package veriflier_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/veriflier"
)

func TestAVeriflierIsReadyWhileItsAnchorsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		cut.Store(true)
		p := lineCut(&cut)
		m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		r := inMemory(t, p, func(o *veriflier.Options) { o.SelfCheck = m })
		want := func(when string, want bool) {
			t.Helper()
			time.Sleep(11 * time.Second) // anchors are asked every 10 s
			ready := r.Ready()
			if (ready == nil) != want || ready != nil && !strings.Contains(ready.Error(), "anchors do not answer") {
				t.Errorf("%s it is ready: %v", when, ready)
			}
			for _, service := range []string{"", "jetmon.veriflier.v1.VeriflierService"} {
				h, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
				if err != nil || (h.GetStatus() == healthpb.HealthCheckResponse_SERVING) != want {
					t.Errorf("%s the health of %q is %v, %v", when, service, h.GetStatus(), err)
				}
			}
		}
		want("with the line cut", false)
		cut.Store(false)
		want("with the line whole", true)
		cut.Store(true)
		want("with the line cut again", false)
		if _, err := r.Verify(t.Context(), request("1")); err != nil {
			t.Errorf("asked all the same: %v", err)
		}
	})
}

func TestAVeriflierWithoutAnchorsIsReady(t *testing.T) {
	t.Parallel()
	r := inMemory(t, &prober{answer: up}, nil)
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}
