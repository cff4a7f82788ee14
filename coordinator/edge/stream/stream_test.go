package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/edge/stream"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// idle stands for the panel and the committer, which have nothing to do here.
type idle struct{}

func (idle) Ask(engine.Question)          {}
func (idle) Abandon(check.SiteID, uint32) {}
func (idle) Look(engine.Question)         {}
func (idle) Record(record.Change)         {}
func (idle) Keep(record.Ballot)           {}
func (idle) Full() bool                   { return false }

// sites is the number of sites; each is checked once a minute, and tick makes all due.
const sites = 10

// house is a coordinator's stream on loopback, over a real engine.
type house struct {
	engine *engine.Engine
	stream *stream.Server
	conn   *grpc.ClientConn
	now    time.Time // of the engine's clock
}

func open(t *testing.T) *house {
	t.Helper()
	return openOn(t, rpc.TCP(), "127.0.0.1:0")
}

func openOn(t *testing.T, network rpc.Network, addr string) *house {
	t.Helper()
	h := &house{now: time.Now()}
	h.engine = engine.New(engine.Options{
		Policy: lifecycle.DefaultPolicy(), Outliers: outlier.DefaultRule(), Panel: idle{}, Committer: idle{}, Interval: time.Second,
		Random: rand.Uint64, Log: slog.New(slog.DiscardHandler),
		Dispatch: dispatch.Config{Lease: time.Hour, SessionTimeout: time.Hour, MaxBatch: 4, MaxQueue: 100, Random: rand.Uint64},
	}, h.now)
	var rows []record.Site
	for id := range sites {
		rows = append(rows, record.Site{
			ID: check.SiteID(id + 1), URL: fmt.Sprintf("https://site-%d.example/", id+1), Interval: time.Minute, Status: check.StatusRunning,
		})
	}
	rows[0].Settings.RequiredTexts = []string{"größer"}
	h.engine.Read(h.now, 0).Put(rows)
	h.stream = stream.New(stream.Options{Engine: h.engine, Node: "c1", Heartbeat: 5 * time.Second, Lease: time.Minute})
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "test", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		coordinatorv1.RegisterAssignmentServiceServer(r, h.stream)
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	if h.conn, err = rpc.Dial(l.Addr().String(), rpc.ClientOptions{Network: network}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stream.Stop()
		_ = h.conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

// tick makes each site due once more.
func (h *house) tick() {
	for range 11 {
		h.now = h.now.Add(100 * time.Millisecond)
		h.engine.Tick(h.now)
	}
}

// peer is a checker's end of a stream.
type peer struct {
	grpc.BidiStreamingClient[coordinatorv1.StreamAssignmentsRequest, coordinatorv1.StreamAssignmentsResponse]
	t *testing.T
}

// dial opens a stream and sends nothing.
func (h *house) dial(t *testing.T, options ...grpc.CallOption) peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	st, err := coordinatorv1.NewAssignmentServiceClient(h.conn).StreamAssignments(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	return peer{st, t}
}

func hello(node, instance string) *coordinatorv1.Hello {
	return &coordinatorv1.Hello{Node: node, InstanceId: instance, Region: "eu", MaxInFlight: 100, ProtocolVersion: 1}
}

// join opens a session and grants credit for everything.
func (h *house) join(t *testing.T, node, instance string) peer {
	t.Helper()
	p := h.dial(t)
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello(node, instance)}})
	if w := p.hear().GetWelcome(); w.GetCoordinator() != "c1" || w.GetHeartbeatMillis() != 5000 || w.GetLeaseMillis() != 60_000 || w.GetMaxResults() != 1000 || w.GetSessionId() == "" {
		t.Fatalf("the welcome is %v", w)
	}
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: 100}}})
	return p
}

func (p peer) say(m *coordinatorv1.StreamAssignmentsRequest) {
	p.t.Helper()
	if err := p.Send(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p peer) hear() *coordinatorv1.StreamAssignmentsResponse {
	p.t.Helper()
	m, err := p.Recv()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// ends waits for the end of the stream.
func (p peer) ends() error {
	for {
		if _, err := p.Recv(); err != nil {
			return err
		}
	}
}

// batches receives assignments until n checks have come.
func (p peer) batches(n int) (all []*coordinatorv1.Assignments) {
	p.t.Helper()
	for n > 0 {
		a := p.hear().GetAssignments()
		if a == nil {
			p.t.Fatal("something else came")
		}
		all = append(all, a)
		n -= len(a.GetAssignments())
	}
	return all
}

func results(a *coordinatorv1.Assignments) *coordinatorv1.Results {
	r := &coordinatorv1.Results{Batch: proto.CloneOf(a.GetBatch())}
	for _, one := range a.GetAssignments() {
		r.Results = append(r.Results, &coordinatorv1.Result{SiteId: one.GetSiteId(), Sequence: one.GetSequence(), Observation: &checkv1.Observation{
			Outcome: checkv1.Outcome_OUTCOME_UP, HttpStatus: 200, ResolvedAddress: "192.0.2.1:443", Timings: &checkv1.Timing{TotalMicros: 80_000},
		}})
	}
	return r
}

// checkIn sends results and returns their ack.
func (p peer) checkIn(r *coordinatorv1.Results) *coordinatorv1.ResultsAck {
	p.t.Helper()
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Results{Results: r}})
	for {
		switch m := p.hear().GetMessage().(type) {
		case *coordinatorv1.StreamAssignmentsResponse_ResultsAck:
			if b := m.ResultsAck.GetBatch(); b.GetBatchId() != r.GetBatch().GetBatchId() || b.GetCheckoutId() != r.GetBatch().GetCheckoutId() {
				p.t.Errorf("the answer is about %v, not %v", m.ResultsAck.GetBatch(), r.GetBatch())
			}
			return m.ResultsAck
		case *coordinatorv1.StreamAssignmentsResponse_Assignments:
		default:
			p.t.Fatalf("%v came", m)
		}
	}
}

func TestChecksGoOutAndComeIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1")
	h.tick()
	seen := map[int64]bool{}
	for _, a := range p.batches(sites) {
		if n := len(a.GetAssignments()); n > 4 || a.GetBatch().GetBatchId() == 0 || a.GetLeaseMillis() != 60_000 {
			t.Errorf("a batch of %d: %v", n, a)
		}
		for _, one := range a.GetAssignments() {
			target := one.GetTarget()
			if want := fmt.Sprintf("https://site-%d.example/", one.GetSiteId()); target.GetUrl() != want || target.GetTimeoutMillis() != 10_000 || one.GetSequence() != 1 {
				t.Errorf("a check is %v", one)
			}
			if text := target.GetRequiredTexts(); (one.GetSiteId() == 1) != (len(text) == 1 && text[0] == "größer") {
				t.Errorf("site %d must hold %v", one.GetSiteId(), text)
			}
			seen[one.GetSiteId()] = true
		}
		if ack := p.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) || ack.GetDuplicate()+ack.GetLate()+ack.GetStale() != 0 || ack.GetError() != nil {
			t.Errorf("%d were checked in: %v", len(a.GetAssignments()), ack)
		}
	}
	if len(seen) != sites || h.engine.Counters().Checks != sites {
		t.Errorf("%d sites went out, %d checks came in", len(seen), h.engine.Counters().Checks)
	}
	v, _ := h.engine.View(time.Now(), 1)
	if v.Last == nil || v.Last.HTTPStatus != 200 || v.Last.Timing.Total != 80*time.Millisecond || v.LastNode != "fra-1" {
		t.Errorf("of the check is known %+v", v.Last)
	}
}

func TestABatchThatIsNotAsItShouldBeIsRefusedAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*coordinatorv1.Results)
		want   string
	}{
		{"a batch that never was", func(r *coordinatorv1.Results) { r.Batch.BatchId += 1000 }, "BATCH_NOT_CHECKED_OUT"},
		{"no batch", func(r *coordinatorv1.Results) { r.Batch = nil }, "BATCH_INVALID"},
		{"a check-out id that was guessed", func(r *coordinatorv1.Results) { r.Batch.CheckoutId++ }, "BATCH_MISMATCH"},
		{"a site of another batch", func(r *coordinatorv1.Results) { r.Results[0].SiteId += 1000 }, "BATCH_MISMATCH"},
		{"a sequence that is to come", func(r *coordinatorv1.Results) { r.Results[0].Sequence++ }, "BATCH_MISMATCH"},
		{"more results than are taken", func(r *coordinatorv1.Results) {
			for len(r.Results) <= 1000 {
				r.Results = append(r.Results, r.Results[0])
			}
		}, "BATCH_INVALID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			p := h.join(t, "fra-1", "1")
			h.tick()
			a := p.batches(sites)[0]
			wrong := results(a)
			tt.change(wrong)
			ack := p.checkIn(wrong)
			if got := reasonOf(t, ack); ack.GetAccepted() != 0 || got != tt.want {
				t.Errorf("the answer is %v, want %s", ack, tt.want)
			}
			if ack := p.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) {
				t.Errorf("afterwards the right one was answered with %v", ack)
			}
			if ack := p.checkIn(results(a)); int(ack.GetDuplicate()) != len(a.GetAssignments()) {
				t.Errorf("and its repetition with %v", ack)
			}
		})
	}
}

// reasonOf reads the reason of a refusal like a checker.
func reasonOf(t *testing.T, ack *coordinatorv1.ResultsAck) string {
	t.Helper()
	details := status.FromProto(ack.GetError()).Details()
	if len(details) != 1 {
		t.Fatalf("the answer is %v, want one detail of an error", ack)
	}
	info, ok := details[0].(*errdetails.ErrorInfo)
	if !ok || info.GetDomain() != "jetmon.coordinator" {
		t.Fatalf("the answer is %v", ack)
	}
	return info.GetReason()
}

func TestResultsForAShardThatWasLostAreStale(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1")
	h.tick()
	batches := p.batches(sites)
	partly, whole := batches[0], batches[1]
	first := results(partly)
	first.Results = first.Results[:1]
	if ack := p.checkIn(first); ack.GetAccepted() != 1 {
		t.Fatalf("one was checked in: %v", ack)
	}
	h.engine.DropShard(0)
	// The results that counted before still count, so this is no refusal.
	n := uint32(len(partly.GetAssignments()))
	if ack := p.checkIn(results(partly)); ack.GetDuplicate() != 1 || ack.GetStale() != n-1 || ack.GetAccepted()+ack.GetLate() != 0 || ack.GetError() != nil {
		t.Errorf("a batch of which one had counted is answered with %v", ack)
	}
	stale := n - 1
	n = uint32(len(whole.GetAssignments()))
	for range 2 { // a repetition is no other
		ack := p.checkIn(results(whole))
		if ack.GetStale() != n || ack.GetAccepted()+ack.GetDuplicate()+ack.GetLate() != 0 || reasonOf(t, ack) != "TERM_STALE" {
			t.Errorf("a batch of which nothing had is answered with %v", ack)
		}
		stale += n
	}
	if c := h.engine.Counters(); c.Stale != uint64(stale) || c.Checks != 1 {
		t.Errorf("%d results are counted as stale and %d as checks, want %d and 1", c.Stale, c.Checks, stale)
	}
}

func TestHeartbeatsNameWhatIsNotOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1")
	h.tick()
	a := p.batches(sites)[0]
	unknown := &coordinatorv1.BatchRef{BatchId: 77, CheckoutId: 1}
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{
		OpenBatches: []*coordinatorv1.BatchRef{a.GetBatch(), unknown}, SelfCheck: &checkv1.SelfCheck{Healthy: true},
	}}})
	if got := p.hear().GetHeartbeatAck().GetUnknownBatches(); len(got) != 1 || !proto.Equal(got[0], unknown) {
		t.Errorf("unknown are %v", got)
	}
}

func TestCreditOverWhatHelloAllowedIsCutAndHarmsNobody(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.dial(t)
	first := hello("fra-1", "1")
	first.MaxInFlight = 6
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: first}})
	if p.hear().GetWelcome() == nil {
		t.Fatal("it is not welcome")
	}
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: 1000}}})
	h.tick()
	all := p.batches(6)
	beat := &coordinatorv1.Heartbeat{SelfCheck: &checkv1.SelfCheck{Healthy: true}}
	n := 0
	for _, a := range all {
		n += len(a.GetAssignments())
		beat.OpenBatches = append(beat.OpenBatches, a.GetBatch())
	}
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: beat}})
	if m := p.hear(); n != 6 || m.GetHeartbeatAck() == nil {
		t.Errorf("%d checks came, and then %v", n, m)
	}
}

func TestWhatIsReleasedGoesOutAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1")
	h.tick()
	a := p.batches(sites)[0]
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Release{Release: &coordinatorv1.Release{Batch: a.GetBatch()}}})
	again := p.batches(len(a.GetAssignments()))[0]
	if again.GetBatch().GetBatchId() == a.GetBatch().GetBatchId() {
		t.Error("it went out under the same number")
	}
}

func TestSessionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, tt := range map[string]struct {
		first *coordinatorv1.StreamAssignmentsRequest
		want  codes.Code
	}{
		"no hello":   {&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}}, codes.InvalidArgument},
		"no message": {&coordinatorv1.StreamAssignmentsRequest{}, codes.InvalidArgument},
		"no name":    {&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("", "i")}}, codes.InvalidArgument},
		"a name without end": {&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{
			Hello: hello(strings.Repeat("n", 129), "i"),
		}}, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := h.dial(t)
			p.say(tt.first)
			if err := p.ends(); status.Code(err) != tt.want {
				t.Errorf("it ends with %v, want %v", err, tt.want)
			}
		})
	}
}

// of makes the first message of a checker that speaks these versions.
func of(single, lowest, highest uint32) *coordinatorv1.StreamAssignmentsRequest {
	h := hello("fra-1", "1")
	h.ProtocolVersion, h.MinProtocolVersion, h.MaxProtocolVersion = single, lowest, highest
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: h}}
}

func TestASessionIsInAVersionThatBothSpeak(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]*coordinatorv1.StreamAssignmentsRequest{
		"a checker that knows no ranges":           of(1, 0, 0),
		"one that speaks the same":                 of(1, 1, 1),
		"one that was upgraded first":              of(1, 1, 7),
		"one that has forgotten the older message": of(0, 1, 2),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			p := h.dial(t)
			p.say(first)
			if w := p.hear().GetWelcome(); w.GetProtocolVersion() != 1 || w.GetMinProtocolVersion() != 1 || w.GetMaxProtocolVersion() != 1 {
				t.Fatalf("the welcome is %v", w)
			}
			p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: 100}}})
			h.tick()
			a := p.batches(sites)[0]
			if ack := p.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) {
				t.Errorf("checked in: %v", ack)
			}
		})
	}
}

func TestWithoutACommonVersionThereIsNoSession(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, tt := range map[string]struct {
		first *coordinatorv1.StreamAssignmentsRequest
		want  codes.Code
	}{
		"one other version":       {of(99, 0, 0), codes.FailedPrecondition},
		"a range above":           {of(1, 2, 3), codes.FailedPrecondition},
		"an inverted range":       {of(1, 3, 1), codes.InvalidArgument},
		"half a range":            {of(1, 1, 0), codes.InvalidArgument},
		"a range from nothing on": {of(1, 0, 1), codes.InvalidArgument},
		"no version at all":       {of(0, 0, 0), codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := h.dial(t)
			p.say(tt.first)
			st := status.Convert(p.ends())
			if st.Code() != tt.want || len(st.Details()) != 2 {
				t.Fatalf("it ends with %v, %v, want %v", st, st.Details(), tt.want)
			}
			info, ok := st.Details()[0].(*errdetails.ErrorInfo)
			if ok != (tt.want == codes.FailedPrecondition) {
				t.Fatalf("it says %v", st.Details()[0])
			}
			if ok && (info.GetReason() != "VERSION_UNSUPPORTED" || info.GetDomain() != "jetmon.coordinator" ||
				info.GetMetadata()["min_protocol_version"] != "1" || info.GetMetadata()["max_protocol_version"] != "1") {
				t.Errorf("it says %v", info)
			}
		})
	}
}

func TestHelloIsSaidOnce(t *testing.T) {
	t.Parallel()
	p := open(t).join(t, "fra-1", "1")
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("fra-1", "1")}})
	if err := p.ends(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("it ends with %v", err)
	}
}

func TestAnotherProcessOfTheNodeIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "holder")
	q := h.dial(t)
	q.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("fra-1", "2")}})
	err := q.ends()
	if status.Code(err) != codes.AlreadyExists || strings.Contains(err.Error(), "holder") || len(status.Convert(err).Details()) != 3 {
		t.Errorf("it ends with %v", err)
	}
	if s := h.engine.Summary(time.Now()).Checkers; len(s) != 1 || s[0].Rival.Hello.Instance != "2" || !strings.HasPrefix(s[0].Rival.Hello.Address, "127.0.0.1:") {
		t.Errorf("the checkers are %+v", s)
	}
	h.tick()
	p.batches(sites)
}

func TestANewerSessionOfTheProcessSupersedes(t *testing.T) {
	t.Parallel()
	h := open(t)
	old := h.join(t, "fra-1", "1")
	h.join(t, "fra-1", "1")
	if err := old.ends(); status.Code(err) != codes.Aborted {
		t.Errorf("the old one ends with %v", err)
	}
}

// rubbish is a codec that sends bytes unchanged.
type rubbish struct{ encoding.CodecV2 }

func (r rubbish) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*coordinatorv1.StreamAssignmentsRequest); ok && m.GetMessage() == nil {
		return mem.BufferSlice{mem.SliceBuffer(bytes.Repeat([]byte{3<<3 | 2, 0xff}, 20))}, nil
	}
	return r.CodecV2.Marshal(v)
}

func TestBytesThatAreNoMessageEndTheStreamOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	well := h.join(t, "fra-2", "1")
	p := h.dial(t, grpc.ForceCodecV2(rubbish{encoding.GetCodecV2("proto")}))
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("fra-1", "1")}})
	if p.hear().GetWelcome() == nil {
		t.Fatal("it is not welcome")
	}
	p.say(&coordinatorv1.StreamAssignmentsRequest{})
	if err := p.ends(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "is no jetmon.coordinator.v1.StreamAssignmentsRequest") {
		t.Errorf("it ends with %v", err)
	}
	h.tick()
	well.batches(sites)
}
