package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/rpc"
)

// witness is a veriflier that takes a while to see an outcome.
type witness struct {
	veriflierv1.UnimplementedVeriflierServiceServer
	name  string
	sees  checkv1.Outcome
	after time.Duration
	asked chan *veriflierv1.VerifyRequest
}

func (w *witness) Verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	select {
	case w.asked <- req:
	default:
	}
	select {
	case <-time.After(w.after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	seen := &checkv1.Observation{Outcome: w.sees, Timings: &checkv1.Timing{TotalMicros: 7000}}
	if w.sees == checkv1.Outcome_OUTCOME_UNKNOWN {
		seen.Failure, seen.Reason = checkv1.FailureKind_FAILURE_KIND_POLICY, "private"
	}
	return &veriflierv1.VerifyResponse{RequestId: req.GetRequestId(), Veriflier: w.name, Observation: seen, SelfCheck: &checkv1.SelfCheck{Healthy: true}}, nil
}

// watched starts a coordinator with these verifliers, each in a region of its own.
func watched(t *testing.T, all ...*witness) *rig {
	t.Helper()
	return startWith(t, func(o *coordinator.Options) {
		network, _ := o.VeriflierClient.Network.(*rpc.Memory)
		o.Verifliers = nil
		for _, w := range all {
			l, err := network.Listen(w.name)
			if err != nil {
				t.Fatal(err)
			}
			serveWitness(t, l, w)
			o.Verifliers = append(o.Verifliers, panel.Member{Name: w.name, Region: "in " + w.name, Address: w.name})
		}
	})
}

func serveWitness(t *testing.T, l net.Listener, w *witness) {
	t.Helper()
	srv, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		veriflierv1.RegisterVeriflierServiceServer(r, w)
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
}

// probe returns all messages of a probe.
func (r *rig) probe(ctx context.Context, p *monitorv1.Probe) (all []*monitorv1.ProbeURLResponse, err error) {
	stream, err := monitorv1.NewProbeServiceClient(r.conn).ProbeURL(ctx, &monitorv1.ProbeURLRequest{Probe: p})
	for err == nil {
		var m *monitorv1.ProbeURLResponse
		if m, err = stream.Recv(); err == nil {
			all = append(all, m)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

func TestAURLIsProbedByAllVerifliersAtOnce(t *testing.T) {
	t.Parallel()
	up, down, cannotTell := checkv1.Outcome_OUTCOME_UP, checkv1.Outcome_OUTCOME_DOWN, checkv1.Outcome_OUTCOME_UNKNOWN
	for name, c := range map[string]struct {
		sees    [3]checkv1.Outcome
		votes   string
		verdict monitorv1.Verdict
	}{
		"the last to answer still counts": {[3]checkv1.Outcome{down, down, down}, "c DOWN, b DOWN, a DOWN", monitorv1.Verdict_VERDICT_CONFIRMED},
		"one region sees it fail":         {[3]checkv1.Outcome{down, up, up}, "c UP, b UP, a DOWN", monitorv1.Verdict_VERDICT_REJECTED},
		"none may visit it":               {[3]checkv1.Outcome{cannotTell, cannotTell, cannotTell}, "c UNKNOWN, b UNKNOWN, a UNKNOWN", monitorv1.Verdict_VERDICT_INCONCLUSIVE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := make(chan *veriflierv1.VerifyRequest, 10)
				r := watched(t,
					&witness{name: "a", sees: c.sees[0], after: 3 * time.Second}, &witness{name: "b", sees: c.sees[1], after: 2 * time.Second, asked: asked}, &witness{name: "c", sees: c.sees[2], after: time.Second})
				time.Sleep(10 * time.Second)
				for len(asked) > 0 {
					<-asked
				}
				began := time.Now()
				all, err := r.probe(t.Context(), &monitorv1.Probe{Url: "example.com/a", Method: checkv1.Method_METHOD_GET, Timeout: durationpb.New(5 * time.Second)})
				if err != nil || len(all) != 5 || time.Since(began) > 3500*time.Millisecond {
					t.Fatalf("%v, %v after %v", all, err, time.Since(began))
				}
				head := all[0].GetPanel()
				if head.GetUrl() != "http://example.com/a" || len(head.GetVerifliers()) != 3 || head.GetVerifliers()[2].GetRegion() != "in c" || head.GetRule().GetNeed() != 2 {
					t.Errorf("the panel is %v", head)
				}
				var votes []string
				for _, m := range all[1:4] {
					v := m.GetVote()
					votes = append(votes, fmt.Sprint(v.GetVeriflier(), " ", strings.TrimPrefix(v.GetValue().String(), "VOTE_VALUE_")))
				}
				ballot := all[4].GetBallot()
				if got := strings.Join(votes, ", "); got != c.votes || ballot.GetVerdict() != c.verdict || len(ballot.GetVotes()) != 0 {
					t.Errorf("%s: %v, want %s: %v", got, ballot, c.votes, c.verdict)
				}
				target := (<-asked).GetTarget()
				if target.GetUrl() != "http://example.com/a" || target.GetMethod() != checkv1.Method_METHOD_GET || target.GetTimeoutMillis() != 5000 || len(target.GetHeaders()) != 0 {
					t.Errorf("asked %v", target)
				}
			})
		})
	}
}

func TestProbesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watched(t, &witness{name: "a", sees: checkv1.Outcome_OUTCOME_DOWN})
		time.Sleep(10 * time.Second)
		if all, err := r.probe(t.Context(), &monitorv1.Probe{Url: "http://example.com/"}); err != nil || all[len(all)-1].GetBallot().GetVerdict() != monitorv1.Verdict_VERDICT_CONFIRMED {
			t.Fatal(all, err)
		}
		sites, err := monitorv1.NewSiteServiceClient(r.conn).ListSites(t.Context(), &monitorv1.ListSitesRequest{})
		outages, outageErr := monitorv1.NewOutageServiceClient(r.conn).ListOutages(t.Context(), &monitorv1.ListOutagesRequest{})
		if err != nil || outageErr != nil || len(sites.GetSites()) != 0 || len(outages.GetOutages()) != 0 {
			t.Errorf("%v %v, %v %v", sites, err, outages, outageErr)
		}
	})
}

func TestProbesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watched(t, &witness{name: "a", sees: checkv1.Outcome_OUTCOME_UP, after: 4 * time.Second})
		time.Sleep(10 * time.Second)
		results := make(chan error, 100)
		for range 9 {
			go func() {
				_, err := r.probe(t.Context(), &monitorv1.Probe{Url: "http://example.com/"})
				results <- err
			}()
		}
		refused := status.Convert(<-results) // at once; the others take 4 s
		waits := slices.ContainsFunc(refused.Details(), func(d any) bool { _, ok := d.(*errdetails.RetryInfo); return ok })
		if refused.Code() != codes.ResourceExhausted || !waits || !strings.Contains(refused.Message(), "8 probes are running") {
			t.Errorf("the ninth: %v %v", refused, refused.Details())
		}
		for range 8 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		// Whoever goes away gives the place back, but not what is left of the minute.
		for range 30 {
			ctx, cancel := context.WithCancel(t.Context())
			stream, err := monitorv1.NewProbeServiceClient(r.conn).ProbeURL(ctx, &monitorv1.ProbeURLRequest{Probe: &monitorv1.Probe{Url: "http://example.com/"}})
			if err == nil {
				_, err = stream.Recv()
			}
			cancel()
			synctest.Wait()
			if err != nil {
				refused = status.Convert(err)
			}
		}
		if !strings.Contains(refused.Message(), "in a short time") {
			t.Errorf("the thirtieth within a moment: %v", refused)
		}
	})
}

func TestABadProbeIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, p := range []*monitorv1.Probe{
		nil, {}, {Url: "ftp://example.com/"}, {Url: "http://user:secret@example.com/"}, {Url: "http://example.com/\r\nX: y"}, {Url: "http://"},
		{Url: strings.Repeat("x", 301)}, {Url: "http://example.com/", Method: 9}, {Url: "http://example.com/", RedirectPolicy: 9},
		{Url: "http://example.com/", Timeout: durationpb.New(21 * time.Second)}, {Url: "http://example.com/", Timeout: durationpb.New(time.Millisecond)},
	} {
		if all, err := r.probe(t.Context(), p); status.Code(err) != codes.InvalidArgument || len(all) != 0 {
			t.Errorf("%v: %v, %v", p, all, err)
		}
	}
}

func TestADiagnosisIsWatchedWhileItIsMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := make(chan bool)
		r := startWith(t, func(o *coordinator.Options) {
			o.Diagnoser = diagnoserFunc(func(ctx context.Context, target jetpack.Target) (*jetpack.Report, error) {
				if target.URL == "http://bad.example/" {
					return nil, errors.New("url is bad")
				}
				report := &jetpack.Report{URL: target.URL}
				for _, check := range []string{"dns", "tcp"} {
					select {
					case <-next:
					case <-ctx.Done():
						next <- false
						return report, nil
					}
					f := jetpack.Finding{Section: jetpack.SectionWayIn, Check: check, Verdict: jetpack.Pass}
					report.Findings = append(report.Findings, f)
					target.Found(f)
				}
				return report, nil
			})
		})
		id := r.create(t, "http://example.com/").GetSiteId()
		watch := func(ctx context.Context, id int64) grpc.ServerStreamingClient[monitorv1.WatchDiagnosisResponse] {
			stream, err := monitorv1.NewDiagnosisServiceClient(r.conn).WatchDiagnosis(ctx, &monitorv1.WatchDiagnosisRequest{SiteId: id})
			if err != nil {
				t.Fatal(err)
			}
			return stream
		}
		stream := watch(t.Context(), id)
		for _, want := range []string{"dns", "tcp"} {
			next <- true
			if m, err := stream.Recv(); err != nil || m.GetFinding().GetCheck() != want || m.GetFinding().GetSection() != monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_WAY_IN {
				t.Fatalf("%v, %v, want %s", m, err, want)
			}
		}
		if m, err := stream.Recv(); err != nil || len(m.GetDiagnosis().GetFindings()) != 2 || m.GetDiagnosis().GetUrl() != "http://example.com/" {
			t.Errorf("the diagnosis is %v, %v", m, err)
		}
		if m, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the diagnosis: %v, %v", m, err)
		}
		if _, err := watch(t.Context(), r.create(t, "http://bad.example/").GetSiteId()).Recv(); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a bad URL: %v", err)
		}
		if _, err := watch(t.Context(), 1<<40).Recv(); status.Code(err) != codes.NotFound {
			t.Errorf("no site: %v", err)
		}
		// Who goes away ends the diagnosis.
		ctx, cancel := context.WithCancel(t.Context())
		watch(ctx, id)
		synctest.Wait()
		cancel()
		<-next
	})
}

func TestNoTokenUsesUpTheProbesOfOthers(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	begin := func(token string) error {
		stream, err := monitorv1.NewProbeServiceClient(r.conn).ProbeURL(as(t, token), &monitorv1.ProbeURLRequest{Probe: &monitorv1.Probe{Url: "http://example.com/"}})
		for err == nil {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	greedy, other := r.token(t, []int64{7}, "checks:run"), r.token(t, nil, "checks:run")
	var refused error
	for range 40 {
		if err := begin(greedy); err != nil {
			refused = err
		}
	}
	if status.Code(refused) != codes.ResourceExhausted || !strings.Contains(status.Convert(refused).Message(), "in a short time") {
		t.Errorf("the fortieth within a moment: %v", refused)
	}
	if err := begin(other); err != nil {
		t.Errorf("another token: %v", err)
	}
}
