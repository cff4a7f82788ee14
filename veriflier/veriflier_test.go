package veriflier_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/veriflier"
)

func TestAnAnswerSaysWhoSawWhat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: up}, nil)
		a, err := r.Verify(t.Context(), request("x"))
		if err != nil {
			t.Fatal(err)
		}
		if a.GetRequestId() != "x" || a.GetVeriflier() != "fra-1" || a.GetRegion() != "eu" || len(a.GetInstanceId()) < 16 {
			t.Errorf("got %v", a)
		}
		if a.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_UP || a.GetObservation().GetHttpStatus() != 200 {
			t.Errorf("observation is %v", a.GetObservation())
		}
		if !a.GetSelfCheck().GetHealthy() || a.GetSelfCheck().GetAnchors() != 0 {
			t.Errorf("self-check is %v", a.GetSelfCheck())
		}
		if got := r.prober.asked(); len(got) != 1 || got[0].URL != "https://example.com/" || got[0].Timeout != check.VerifyTimeout {
			t.Errorf("probed %+v, want one check with the timeout of a verification", got)
		}
	})
}

func TestWrongRequestsAreRefusedByField(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		req   *veriflierv1.VerifyRequest
		field string
	}{
		{"nothing at all", &veriflierv1.VerifyRequest{}, "request_id"},
		{"a blank in the id", request("a b"), "request_id"},
		{"an id that is not ASCII", request("é"), "request_id"},
		{"an id of 129 characters", request(strings.Repeat("x", 129)), "request_id"},
		{"no target", &veriflierv1.VerifyRequest{RequestId: "x"}, "target"},
		{"no URL", &veriflierv1.VerifyRequest{RequestId: "x", Target: &checkv1.Target{}}, "target.url"},
		{"port 99999", &veriflierv1.VerifyRequest{RequestId: "x", Target: &checkv1.Target{Url: "http://a.example:99999/"}}, "target.url"},
		{"a long timeout", &veriflierv1.VerifyRequest{RequestId: "x", Target: &checkv1.Target{Url: "http://a.example/", TimeoutMillis: 60_001}}, "target.timeout_millis"},
		{"a header that smuggles", &veriflierv1.VerifyRequest{RequestId: "x", Target: &checkv1.Target{
			Url: "http://a.example/", Headers: []*checkv1.Header{{Name: "Transfer-Encoding", Value: "chunked"}}}}, "target.headers[0].name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t, &prober{answer: up}, nil)
			_, err := r.Verify(t.Context(), tt.req)
			wantCode(t, err, codes.InvalidArgument)
			var fields []string
			for _, d := range status.Convert(err).Details() {
				if b, ok := d.(*errdetails.BadRequest); ok {
					for _, f := range b.GetFieldViolations() {
						fields = append(fields, f.GetField())
					}
				}
			}
			if !slices.Contains(fields, tt.field) || !strings.Contains(status.Convert(err).Message(), tt.field) {
				t.Errorf("fields %v in %v, want %s among them", fields, err, tt.field)
			}
			if n := len(r.prober.asked()); n != 0 {
				t.Errorf("%d checks were run", n)
			}
		})
	}
}

func TestAskingTwiceIsCheckingOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: takes(3 * time.Second)}, nil)
		first := r.background(t.Context(), request("q"))
		synctest.Wait()
		joined := r.background(t.Context(), request("q"))
		one, two := <-first, <-joined
		if one.err != nil || two.err != nil {
			t.Fatal(one.err, two.err)
		}
		time.Sleep(59 * time.Second)
		again, err := r.Verify(t.Context(), request("q"))
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(one.VerifyResponse, two.VerifyResponse) || !proto.Equal(one.VerifyResponse, again) {
			t.Errorf("answers differ:\n%v\n%v\n%v", one, two, again)
		}
		if n := len(r.prober.asked()); n != 1 {
			t.Errorf("%d checks for one question", n)
		}
		if _, err := r.Verify(t.Context(), request("another")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // the first answer is a minute old now
		if _, err := r.Verify(t.Context(), request("q")); err != nil {
			t.Fatal(err)
		}
		if n := len(r.prober.asked()); n != 3 {
			t.Errorf("%d checks, want a fresh one for another id and one after a minute", n)
		}
	})
}

func TestAnIDBelongsToOneTarget(t *testing.T) {
	t.Parallel()
	r := inMemory(t, &prober{answer: up}, nil)
	if _, err := r.Verify(t.Context(), request("q")); err != nil {
		t.Fatal(err)
	}
	other := request("q")
	other.Target.Url = "https://example.org/"
	_, err := r.Verify(t.Context(), other)
	wantCode(t, err, codes.InvalidArgument)
	if !strings.Contains(status.Convert(err).Message(), "request_id") {
		t.Errorf("%v does not name request_id", err)
	}
}

func TestTooManyChecksAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: takes(5 * time.Second)}, func(o *veriflier.Options) { o.MaxInFlight = 2 })
		one, two := r.background(t.Context(), request("1")), r.background(t.Context(), request("2"))
		synctest.Wait()
		_, err := r.Verify(t.Context(), request("3"))
		wantCode(t, err, codes.ResourceExhausted)
		var retry *errdetails.RetryInfo
		for _, d := range status.Convert(err).Details() {
			if i, ok := d.(*errdetails.RetryInfo); ok {
				retry = i
			}
		}
		if retry.GetRetryDelay().AsDuration() <= 0 {
			t.Errorf("%v says not when to come back", err)
		}
		joined := r.background(t.Context(), request("2"))
		for _, c := range []<-chan answered{one, two, joined} {
			if a := <-c; a.err != nil {
				t.Errorf("a check within the limit: %v", a.err)
			}
		}
		if _, err := r.Verify(t.Context(), request("3")); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
	})
}

func TestTheCheckEndsBeforeItsCall(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		timeout  uint32
		deadline time.Duration
		outcome  checkv1.Outcome
		reason   string
	}{
		{"a silent site is down when the check had its whole time", 0, 22 * time.Second, checkv1.Outcome_OUTCOME_DOWN, "no_answer"},
		{"the target's own timeout is kept", 3000, 22 * time.Second, checkv1.Outcome_OUTCOME_DOWN, "no_answer"},
		{"a deadline equal to the timeout is close enough", 20_000, 20 * time.Second, checkv1.Outcome_OUTCOME_DOWN, "no_answer"},
		{"a caller without time gets no vote against the site", 0, 5 * time.Second, checkv1.Outcome_OUTCOME_UNKNOWN, "caller_deadline"},
		{"nor one with very little", 0, 100 * time.Millisecond, checkv1.Outcome_OUTCOME_UNKNOWN, "caller_deadline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := inMemory(t, &prober{answer: takes(time.Hour)}, nil)
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				req := request("q")
				req.Target.TimeoutMillis = tt.timeout
				a, err := r.Verify(ctx, req)
				if err != nil {
					t.Fatal(err)
				}
				if a.GetObservation().GetOutcome() != tt.outcome || a.GetObservation().GetReason() != tt.reason {
					t.Errorf("got %v", a.GetObservation())
				}
			})
		})
	}
}

func TestAFailureThatNeededNoTimeCountsForAHurriedCallerToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: func(context.Context, check.Target) check.Observation {
			return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}
		}}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := r.Verify(ctx, request("q"))
		if err != nil {
			t.Fatal(err)
		}
		if a.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_DOWN {
			t.Errorf("got %v", a.GetObservation())
		}
	})
}

func TestARefusalByPolicyIsAnAnswer(t *testing.T) {
	t.Parallel()
	r := inMemory(t, &prober{answer: func(context.Context, check.Target) check.Observation {
		return check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "private_address"}
	}}, nil)
	a, err := r.Verify(t.Context(), request("q"))
	if err != nil {
		t.Fatal(err)
	}
	o := a.GetObservation()
	if o.GetOutcome() != checkv1.Outcome_OUTCOME_UNKNOWN || o.GetFailure() != checkv1.FailureKind_FAILURE_KIND_POLICY {
		t.Errorf("got %v", o)
	}
}

func TestACallerThatGoesAwayEndsTheCheckOnlyWhenItWasTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: takes(10 * time.Second)}, nil)
		ctx, goAway := context.WithCancel(t.Context())
		alone, shared := r.background(ctx, request("alone")), r.background(ctx, request("shared"))
		synctest.Wait()
		stays := r.background(t.Context(), request("shared"))
		synctest.Wait()
		goAway()
		wantCode(t, (<-alone).err, codes.Canceled)
		wantCode(t, (<-shared).err, codes.Canceled)
		synctest.Wait()
		if running, ended := r.prober.now(); running != 1 || ended != 1 {
			t.Errorf("%d run and %d ended, want the shared one to run on", running, ended)
		}
		if a := <-stays; a.err != nil || a.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_UP {
			t.Errorf("who stayed got %v", a)
		}
		// The result of a check that was cut is not kept: the same request starts a new one.
		a, err := r.Verify(t.Context(), request("alone"))
		if err != nil || a.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_UP {
			t.Errorf("asked again: %v, %v", a, err)
		}
	})
}

func TestAVeriflierWithoutNetworkSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &prober{answer: func(context.Context, check.Target) check.Observation {
			return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Detail: "no name server"}
		}}
		m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		r := inMemory(t, p, func(o *veriflier.Options) { o.SelfCheck = m })
		synctest.Wait()
		a, err := r.Verify(t.Context(), request("q"))
		if err != nil {
			t.Fatal(err)
		}
		if s := a.GetSelfCheck(); s.GetHealthy() || s.GetAnchors() != 1 || !strings.Contains(s.GetDetail(), "no name server") {
			t.Errorf("self-check is %v", s)
		}
	})
}

func TestDrainingLetsChecksEndAndCutsTheSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, &prober{answer: func(ctx context.Context, target check.Target) check.Observation {
			if strings.Contains(target.URL, "slow") {
				return takes(19*time.Second)(ctx, target)
			}
			return takes(6*time.Second)(ctx, target)
		}}, nil)
		slow := request("slow")
		slow.Target.Url = "https://slow.example/"
		quickly, slowly := r.background(t.Context(), request("quick")), r.background(t.Context(), slow)
		synctest.Wait()
		begin := time.Now()
		r.stop()
		if a := <-quickly; a.err != nil || a.GetObservation().GetOutcome() != checkv1.Outcome_OUTCOME_UP {
			t.Errorf("the check that could end: %v", a)
		}
		a := <-slowly
		wantCode(t, a.err, codes.Unavailable)
		if !strings.Contains(status.Convert(a.err).Message(), "draining") {
			t.Errorf("the check that was cut: %v", a.err)
		}
		<-r.ended
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("draining took %s", took)
		}
		if running, _ := r.prober.now(); running != 0 {
			t.Errorf("%d checks run on after Run", running)
		}
	})
}

func TestManyCallersOverTCP(t *testing.T) {
	t.Parallel()
	r := start(t, &prober{answer: up}, nil, rpc.TCP(), "127.0.0.1:0")
	var callers sync.WaitGroup
	for caller := range 40 {
		callers.Go(func() {
			for i := range 25 {
				id := fmt.Sprintf("q-%d", (i+caller)%25)
				a, err := r.Verify(t.Context(), request(id))
				if err != nil || a.GetRequestId() != id {
					t.Errorf("%s: %v, %v", id, a, err)
				}
			}
		})
	}
	callers.Wait()
	if n := len(r.prober.asked()); n != 25 {
		t.Errorf("%d checks for 25 questions", n)
	}
}

func TestTokensAreAskedFor(t *testing.T) {
	t.Parallel()
	r := inMemory(t, &prober{answer: up}, func(o *veriflier.Options) { o.Server.Access = rpc.NewAuthorizer(rpc.AuthorizerOptions{}) })
	_, err := r.Verify(t.Context(), request("q"))
	wantCode(t, err, codes.Unauthenticated)
}

func TestAListenerThatFailsEndsRun(t *testing.T) {
	t.Parallel()
	l, err := rpc.NewMemory().Listen("veriflier")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := veriflier.New(veriflier.Options{Name: "a", Region: "eu", Listeners: []net.Listener{l}, Prober: &prober{answer: up}, Server: rpc.ServerOptions{Access: rpc.Open()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Run(t.Context()); err == nil {
		t.Error("Run answers on a closed listener")
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	t.Parallel()
	l, err := rpc.NewMemory().Listen("veriflier")
	if err != nil {
		t.Fatal(err)
	}
	good := veriflier.Options{Name: "a", Region: "eu", Listeners: []net.Listener{l}, Prober: &prober{answer: up}, Server: rpc.ServerOptions{Access: rpc.Open()}}
	tests := []struct {
		name  string
		spoil func(*veriflier.Options)
		want  string
	}{
		{"no name", func(o *veriflier.Options) { o.Name = "" }, "name"},
		{"no region", func(o *veriflier.Options) { o.Region = "" }, "region"},
		{"no listener", func(o *veriflier.Options) { o.Listeners = nil }, "listener"},
		{"no prober", func(o *veriflier.Options) { o.Prober = nil }, "prober"},
		{"negative checks in flight", func(o *veriflier.Options) { o.MaxInFlight = -1 }, "in flight"},
		{"nobody said who may call", func(o *veriflier.Options) { o.Server.Access = nil }, "who may call"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := good
			tt.spoil(&o)
			if _, err := veriflier.New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one about %s", err, tt.want)
			}
		})
	}
}

// lineCut is the prober of a node whose anchor and sites are all behind one line.
func lineCut(cut *atomic.Bool) *prober {
	return &prober{answer: func(ctx context.Context, target check.Target) check.Observation {
		if cut.Load() || strings.Contains(target.URL, "down") {
			return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureConnect, Reason: "unreachable"}
		}
		return up(ctx, target)
	}}
}

func TestAVoteAgainstASiteCarriesAControlOfTheSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		p := lineCut(&cut)
		m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		r := inMemory(t, p, func(o *veriflier.Options) { o.SelfCheck = m })
		time.Sleep(5 * time.Second) // virtual: the last round was good, and is 5 s old
		ask := func(id, url string) *checkv1.SelfCheck {
			t.Helper()
			req := request(id)
			req.Target.Url = url
			a, err := r.Verify(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			return a.GetSelfCheck()
		}
		if s := ask("1", "https://up.example/"); !s.GetHealthy() || s.GetAgeMillis() != 5000 {
			t.Errorf("a vote for a site says %v, want what is known", s)
		}
		if s := ask("2", "https://down.example/"); !s.GetHealthy() || s.GetAgeMillis() != 0 {
			t.Errorf("a vote against a site says %v, want healthy now", s)
		}
		cut.Store(true)
		if s := ask("3", "https://up.example/"); s.GetHealthy() || s.GetAgeMillis() != 0 || s.GetAnchors() != 1 {
			t.Errorf("with the line cut: %v, want not healthy now", s)
		}
		cut.Store(false)
		if s := ask("4", "https://down.example/"); !s.GetHealthy() {
			t.Errorf("with the line back: %v, want healthy now", s)
		}
	})
}

// TestAControlEndsBeforeTheCallersDeadline shows that the caller learns that the veriflier is
// unhealthy, and not that it was too slow.
func TestAControlEndsBeforeTheCallersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &prober{answer: takes(time.Hour)} // sites and anchors alike
		m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: []string{"https://anchor.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		r := inMemory(t, p, func(o *veriflier.Options) { o.SelfCheck = m })
		req := request("1")
		req.Target.TimeoutMillis = 4000
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		a, err := r.Verify(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if o, s := a.GetObservation(), a.GetSelfCheck(); o.GetOutcome() != checkv1.Outcome_OUTCOME_DOWN || s.GetHealthy() || s.GetDetail() == "" {
			t.Errorf("got %v with %v, want a failure and not healthy", o, s)
		}
	})
}
