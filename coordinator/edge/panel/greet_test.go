package panel

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// refuses answers with an error.
func refuses(code codes.Code, text string) answerFunc {
	return func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return nil, status.Error(code, text)
	}
}

// serveAt makes a veriflier in memory until the test ends.
func serveAt(t *testing.T, network *rpc.Memory, name string, answer answerFunc) *peer {
	t.Helper()
	p := &peer{answer: answer}
	l, err := network.Listen(name)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		veriflierv1.RegisterVeriflierServiceServer(r, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// nobody receives answers in a test that asks nothing.
type nobody struct{}

func (nobody) Decided(engine.Answer) {}
func (nobody) Looked(engine.Look)    {}

// runPanel runs a panel until the test ends.
func runPanel(t *testing.T, o Options) *Panel {
	t.Helper()
	o.Log, o.Instance = slog.New(slog.DiscardHandler), "test"
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, nobody{}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestVerifliersAreKnownBeforeTheFirstOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		var locked atomic.Bool
		well := serveAt(t, network, "well", func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			if locked.Load() {
				return refuses(codes.Unauthenticated, "the bearer token is not accepted")(ctx, req)
			}
			return says("well", isDown)(ctx, req)
		})
		serveAt(t, network, "renamed", says("Veriflier 1", isDown))
		serveAt(t, network, "locked", refuses(codes.Unauthenticated, "the bearer token is not accepted"))
		o := Options{Client: rpc.ClientOptions{Network: network}}
		for _, name := range []string{"well", "renamed", "locked", "dead"} {
			o.Members = append(o.Members, Member{Name: name, Region: "r", Address: name})
		}
		p := runPanel(t, o)
		time.Sleep(time.Second)
		check := func(want map[string]string) {
			t.Helper()
			for _, st := range p.Status() {
				detail, state := want[st.Member.Name], Unreachable
				switch {
				case detail == "":
					state = OK
				case strings.Contains(detail, "answered as"):
					state = Unfit
				}
				if st.State != state || !strings.Contains(st.Detail, detail) || st.Since.IsZero() || st.Asked != 0 {
					t.Errorf("%s: %+v, want state %d with %q", st.Member.Name, st, state, detail)
				}
			}
		}
		check(map[string]string{"renamed": `answered as "Veriflier 1"`, "locked": "token is not accepted", "dead": "Unavailable"})
		if n := well.calls.Load(); n != 1 {
			t.Errorf("one that is well was greeted %d times within a second", n)
		}
		serveAt(t, network, "dead", says("dead", isUp))
		time.Sleep(15 * time.Second)
		check(map[string]string{"renamed": `answered as "Veriflier 1"`, "locked": "token is not accepted"})
		locked.Store(true)
		time.Sleep(time.Minute)
		check(map[string]string{"well": "token is not accepted", "renamed": `answered as "Veriflier 1"`, "locked": "token is not accepted"})
	})
}

// A greeting finds out that a veriflier is not well itself, although its policy forbids what it
// is asked about.
func TestAGreetingTellsWhetherAVeriflierReachesItsAnchors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		self    *checkv1.SelfCheck
		state   State
		offline bool
		detail  string
	}{
		"it does":          {&checkv1.SelfCheck{Healthy: true, Anchors: 2}, OK, false, ""},
		"it does not":      {&checkv1.SelfCheck{Anchors: 2, Detail: "no anchor answered"}, Unfit, true, "is not well itself: no anchor answered"},
		"it has not tried": {&checkv1.SelfCheck{Healthy: true, Anchors: 2, AgeMillis: 61_000}, Unfit, false, "has not looked after itself for 1m1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := rpc.NewMemory()
				serveAt(t, network, "eu1", func(_ context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
					return &veriflierv1.VerifyResponse{
						RequestId: req.GetRequestId(), Veriflier: "eu1", SelfCheck: tt.self,
						Observation: &checkv1.Observation{Outcome: isUnknown, Failure: checkv1.FailureKind_FAILURE_KIND_POLICY},
					}, nil
				})
				p := runPanel(t, Options{Client: rpc.ClientOptions{Network: network}, Members: []Member{{Name: "eu1", Region: "eu", Address: "eu1"}}})
				time.Sleep(time.Second)
				if st := p.Status()[0]; st.State != tt.state || st.Offline != tt.offline || st.Detail != tt.detail {
					t.Errorf("it is %+v", st)
				}
			})
		})
	}
}

func TestMembersAndRuleChangeWhileThePanelRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := rpc.NewMemory()
		member := func(name string) Member { return Member{Name: name, Region: "r", Address: name} }
		peers := map[string]*peer{}
		for _, name := range []string{"a", "b", "c", "d"} {
			peers[name] = serveAt(t, network, name, says(name, isDown))
		}
		o := Options{Client: rpc.ClientOptions{Network: network}, Members: []Member{member("a"), member("b")}}
		p := runPanel(t, o)
		time.Sleep(time.Second)
		before := p.Status()

		o.Members, o.PeerOfflineLimit = []Member{member("b"), member("c"), member("d")}, 3
		if err := p.Change(o); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		after := p.Status()
		if len(after) != 3 || after[0] != before[1] || after[1].State != OK || after[2].State != OK {
			t.Errorf("before %+v, after %+v: b must keep what is known of it", before, after)
		}
		if r := p.Rule(); r.Voters != 3 || r.Need != 3 {
			t.Errorf("rule %+v", r)
		}

		bad := o
		bad.PeerOfflineLimit = 9
		if err := p.Change(bad); err == nil {
			t.Error("takes a limit that no ballot can reach")
		}
		if r := p.Rule(); r.Voters != 3 || r.Need != 3 {
			t.Errorf("a mistake changed the rule to %+v", r)
		}
		calls := peers["a"].calls.Load()
		time.Sleep(5 * time.Minute)
		if n := peers["a"].calls.Load(); n != calls {
			t.Errorf("a was asked %d times after it left", n-calls)
		}
	})
}
