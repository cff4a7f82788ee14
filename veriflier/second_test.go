package veriflier_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/secondopinion"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/veriflier"
)

// says is a prober that sees the same everywhere: an engine that misreads.
func says(o check.Observation) *prober {
	return &prober{answer: func(context.Context, check.Target) check.Observation { return o }}
}

func down(kind check.FailureKind, reason string) check.Observation {
	return check.Observation{Outcome: check.OutcomeDown, Failure: kind, Reason: reason}
}

// second is a second reader whose answer the test determines.
type second struct {
	answer func(context.Context, check.Target) check.Observation

	mu    sync.Mutex
	asked []check.Target
}

func (s *second) Ask(ctx context.Context, t check.Target, _ check.Observation) check.Observation {
	s.mu.Lock()
	s.asked = append(s.asked, t)
	s.mu.Unlock()
	return s.answer(ctx, t)
}

func (s *second) questions() []check.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]check.Target(nil), s.asked...)
}

// counter returns the value of a counter of the only veriflier.
func counter(t *testing.T, r prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestAnEngineThatMisreadsConfirmsNothing has engines that call a real, healthy site failing.
func TestAnEngineThatMisreadsConfirmsNothing(t *testing.T) {
	t.Parallel()
	healthy := fakesite.New(t)
	reader, err := secondopinion.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		seen  check.Observation
		asked bool
	}{
		{down(check.FailureRedirect, "loop"), true},
		{down(check.FailureRedirect, "bad_location"), true},
		{down(check.FailureProtocol, "not_http"), true},
		{down(check.FailurePartial, "cut_short"), true},
		{down(check.FailureContent, "unreadable_encoding"), true},
		{down(check.FailureTLS, "handshake_failure"), true},
		{down(check.FailureTLS, "bad_certificate"), true},
		{check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "scheme", Hops: []check.Hop{{Status: 302, URL: "x:"}}}, true},

		{down(check.FailureServer, "http_500"), false},
		{down(check.FailureConnect, "refused"), false},
		{down(check.FailureDNS, "nxdomain"), false},
		{down(check.FailureTimeout, "first_byte"), false},
		{down(check.FailureTLS, "expired"), false},
		{down(check.FailureTLS, "wrong_host"), false},
		{down(check.FailureContent, "required_text_missing"), false},
		{down(check.FailureRedirect, "not_allowed"), false},
		{check.Observation{Outcome: check.OutcomeUp}, false},
	}
	for _, tt := range tests {
		t.Run(tt.seen.Failure.String()+" "+tt.seen.Reason, func(t *testing.T) {
			t.Parallel()
			metrics, lines := prometheus.NewRegistry(), &text{}
			r := start(t, says(tt.seen), func(o *veriflier.Options) {
				o.SecondReader, o.Metrics, o.Log = reader, metrics, slog.New(slog.NewTextHandler(lines, nil))
			}, rpc.TCP(), "127.0.0.1:0")
			req := request("q")
			req.Target.Url = healthy.URL()
			a, err := r.Verify(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			o, both := a.GetObservation(), a.GetSecondOpinion()
			asked, disagreed := counter(t, metrics, "jetmon_veriflier_second_opinions_total"), counter(t, metrics, "jetmon_veriflier_readers_disagree_total")
			if !tt.asked {
				if both != nil || o.GetOutcome() != checkv1.Outcome(tt.seen.Outcome) || o.GetReason() != tt.seen.Reason || asked != 0 || disagreed != 0 {
					t.Errorf("got %v, counted %v and %v", a, asked, disagreed)
				}
				return
			}
			if o.GetOutcome() != checkv1.Outcome_OUTCOME_UNKNOWN || o.GetReason() != "readers_disagree" || o.GetFailure() != checkv1.FailureKind(tt.seen.Failure) {
				t.Errorf("the vote is %v", o)
			}
			if both.GetEngine().GetReason() != tt.seen.Reason || both.GetReader().GetOutcome() != checkv1.Outcome_OUTCOME_UP || both.GetReader().GetHttpStatus() != 200 {
				t.Errorf("the readings are %v", both)
			}
			if asked != 1 || disagreed != 1 {
				t.Errorf("counted %v and %v", asked, disagreed)
			}
			for _, want := range []string{"readers disagree", healthy.URL(), tt.seen.Reason, "a good page with HTTP status 200"} {
				if !strings.Contains(lines.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, lines)
				}
			}
		})
	}
}

// text is a log that can be read while it is written.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *text) Write(p []byte) (int, error) { t.mu.Lock(); defer t.mu.Unlock(); return t.b.Write(p) }
func (t *text) String() string              { t.mu.Lock(); defer t.mu.Unlock(); return t.b.String() }

// TestWhatIsReallyBrokenStaysDown has sites that both readers see failing.
func TestWhatIsReallyBrokenStaysDown(t *testing.T) {
	t.Parallel()
	engine, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	reader, err := secondopinion.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		site func(*fakesite.Site)
		kind checkv1.FailureKind
	}{
		"a loop": {func(s *fakesite.Site) {
			s.SetHandler(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
		}, checkv1.FailureKind_FAILURE_KIND_REDIRECT},
		"garbage":        {func(s *fakesite.Site) { s.SetRaw("\x00\x01 garbage\r\n\r\n") }, checkv1.FailureKind_FAILURE_KIND_PROTOCOL},
		"a cut body":     {(*fakesite.Site).CutBody, checkv1.FailureKind_FAILURE_KIND_PARTIAL},
		"no answer":      {func(s *fakesite.Site) { s.SetRaw("") }, checkv1.FailureKind_FAILURE_KIND_PROTOCOL},
		"a wrong scheme": {func(s *fakesite.Site) { s.SetRaw("HTTP/1.1 302 Found\r\nLocation: http://\r\n\r\n") }, checkv1.FailureKind_FAILURE_KIND_REDIRECT},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.New(t)
			tt.site(site)
			r := start(t, &prober{answer: engine.Probe}, func(o *veriflier.Options) { o.SecondReader = reader }, rpc.TCP(), "127.0.0.1:0")
			a, err := r.Verify(t.Context(), &veriflierv1.VerifyRequest{RequestId: "q", Target: &checkv1.Target{Url: site.URL(), Method: checkv1.Method_METHOD_GET}})
			if err != nil {
				t.Fatal(err)
			}
			if o := a.GetObservation(); o.GetOutcome() != checkv1.Outcome_OUTCOME_DOWN || o.GetFailure() != tt.kind ||
				!proto.Equal(o, a.GetSecondOpinion().GetEngine()) || a.GetSecondOpinion().GetReader().GetOutcome() != checkv1.Outcome_OUTCOME_DOWN {
				t.Errorf("got %v", a)
			}
		})
	}
}

// TestBothReadersShareOneBudget shows that the answer reaches its caller in time, whatever
// the readers and the anchors do, and that a slow second reader costs no DOWN vote.
func TestBothReadersShareOneBudget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// first and second are how long the readers take; the second one hangs until its budget
		// ends where it is longer than that.
		first, second time.Duration
		deadline      time.Duration // of the call; 0 is none
		budget        time.Duration // of the second reader
		disagree      bool
	}{
		{"what the first has left", 2 * time.Second, time.Second, 12 * time.Second, 8 * time.Second, true},
		{"a second reader that hangs", 2 * time.Second, time.Hour, 12 * time.Second, 8 * time.Second, false},
		{"a second at least", 9900 * time.Millisecond, 500 * time.Millisecond, 12 * time.Second, time.Second, true},
		{"a second, though it hangs", 9900 * time.Millisecond, time.Hour, 12 * time.Second, time.Second, false},
		{"never beyond the deadline", 2 * time.Second, time.Hour, 5 * time.Second, 2700 * time.Millisecond, false},
		{"no deadline", 4 * time.Second, time.Hour, 0, 6 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &prober{answer: func(ctx context.Context, target check.Target) check.Observation {
					if strings.Contains(target.URL, "anchor") {
						return up(ctx, target)
					}
					time.Sleep(tt.first)
					return down(check.FailureRedirect, "loop")
				}}
				s := &second{answer: func(ctx context.Context, target check.Target) check.Observation {
					o := takes(tt.second)(ctx, target)
					if o.Outcome != check.OutcomeUp {
						o = down(check.FailureTimeout, "first_byte")
					}
					return o
				}}
				m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: []string{"https://anchor.example/"}})
				if err != nil {
					t.Fatal(err)
				}
				r := inMemory(t, p, func(o *veriflier.Options) { o.SecondReader, o.SelfCheck = s, m })
				synctest.Wait()
				req := request("q")
				req.Target.TimeoutMillis = 10_000
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				begin := time.Now()
				a, err := r.Verify(ctx, req)
				if err != nil {
					t.Fatalf("after %s: %v", time.Since(begin), err)
				}
				want, reason := checkv1.Outcome_OUTCOME_DOWN, "loop"
				if tt.disagree {
					want, reason = checkv1.Outcome_OUTCOME_UNKNOWN, "readers_disagree"
				}
				if o := a.GetObservation(); o.GetOutcome() != want || o.GetReason() != reason || !a.GetSelfCheck().GetHealthy() || a.GetSelfCheck().GetAgeMillis() != 0 {
					t.Errorf("got %v with %v", o, a.GetSelfCheck())
				}
				if q := s.questions(); len(q) != 1 || q[0].Timeout != tt.budget || q[0].URL != "https://example.com/" {
					t.Errorf("the second reader was asked %+v, want once with %s", q, tt.budget)
				}
				if took := time.Since(begin); took > tt.first+min(tt.second, tt.budget) {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// A repeated request joins both readings.
func TestARepetitionGetsTheSameReadings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &second{answer: takes(time.Second)}
		r := inMemory(t, says(down(check.FailureProtocol, "not_http")), func(o *veriflier.Options) { o.SecondReader = s })
		first, joined := r.background(t.Context(), request("q")), r.background(t.Context(), request("q"))
		a, b := <-first, <-joined
		c, err := r.Verify(t.Context(), request("q"))
		if err != nil || a.err != nil || b.err != nil {
			t.Fatal(err, a.err, b.err)
		}
		if !proto.Equal(a.VerifyResponse, b.VerifyResponse) || !proto.Equal(a.VerifyResponse, c) || c.GetSecondOpinion() == nil || len(s.questions()) != 1 {
			t.Errorf("got %v, %v and %v after %d questions", a, b, c, len(s.questions()))
		}
	})
}

// A check that nobody waits for ends its second reading, too.
func TestACallerThatGoesAwayEndsTheSecondReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		s := &second{answer: func(ctx context.Context, _ check.Target) check.Observation {
			<-ctx.Done()
			close(ended)
			return check.Observation{Outcome: check.OutcomeUnknown}
		}}
		r := inMemory(t, says(down(check.FailureProtocol, "not_http")), func(o *veriflier.Options) { o.SecondReader = s })
		ctx, cancel := context.WithCancel(t.Context())
		asked := r.background(ctx, request("q"))
		synctest.Wait()
		cancel()
		<-asked
		<-ended
	})
}
