package secondopinion

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

// grace is what Ask may take beyond its budget on a busy machine.
const grace = 2 * time.Second

func TestAskEndsWithItsBudget(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	names.Set("silent.test", fakesite.Answer{Silent: true})
	hangs, drips, secret := fakesite.New(t), fakesite.New(t), fakesite.NewTLS(t, fakesite.Valid)
	hangs.Hang()
	drips.SetConn(func(c net.Conn) {
		drips.ReadRequest(c)
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\n\r\nhello"))
		drips.WaitGone(c)
	})
	secret.SetConn(func(c net.Conn) { secret.WaitGone(rawOf(c)) }) // no handshake
	full := fakesite.Blackhole(t, netip.MustParseAddrPort("127.0.0.1:0"))
	tests := []struct {
		name, url string
		kind      check.FailureKind
		reason    string
	}{
		{"a server that hangs", hangs.URL(), check.FailureTimeout, "first_byte"},
		{"a body that never ends", drips.URL(), check.FailureTimeout, "body"},
		{"a handshake that hangs", secret.URL(), check.FailureTimeout, "handshake"},
		{"no connection", "http://" + full.String() + "/", check.FailureConnect, "timeout"},
		{"a name server that says nothing", "http://silent.test/", check.FailureDNS, "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, func(o *probe.Options) { o.Resolver = names.Addr() })
			begin := time.Now()
			o := r.Ask(t.Context(), check.Target{URL: tt.url, Timeout: 300 * time.Millisecond}, check.Observation{})
			isBad(t, tt.name, o, tt.kind, tt.reason)
			if took := time.Since(begin); took > 300*time.Millisecond+grace {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestACallerThatGivesUpLearnsNothing(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	site.SetConn(func(c net.Conn) {
		site.ReadRequest(c)
		cancel()
		site.WaitGone(c)
	})
	o := newReader(t).Ask(ctx, check.Target{URL: site.URL(), Timeout: time.Minute}, check.Observation{})
	if o.Outcome != check.OutcomeUnknown || o.Reason != "cancelled" {
		t.Errorf("%+v", o)
	}
}
