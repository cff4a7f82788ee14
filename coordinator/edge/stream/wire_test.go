package stream

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/test/seeds"
)

// generated is a handout as a message of the generated code.
func generated(h handout) *coordinatorv1.StreamAssignmentsResponse {
	m := &coordinatorv1.Assignments{Batch: refToProto(h.batch.Ref), Term: h.term, LeaseMillis: uint32(h.lease.Milliseconds())}
	for i, c := range h.batch.Checks {
		m.Assignments = append(m.Assignments, &coordinatorv1.Assignment{
			SiteId: int64(c.Site), Sequence: c.Sequence, Target: checkpb.TargetToProto(h.targets[i]),
		})
	}
	for _, traced := range h.batch.Traces {
		m.Assignments[traced.Check].TraceParent = traced.Parent.Append(nil)
	}
	return &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_Assignments{Assignments: m}}
}

func handouts() *rapid.Generator[handout] {
	return rapid.Custom(func(t *rapid.T) handout {
		h := handout{lease: time.Duration(rapid.IntRange(0, 120_000).Draw(t, "lease")) * time.Millisecond, term: uint64(rapid.IntRange(0, 3).Draw(t, "term"))}
		h.batch.Ref = dispatch.Ref{Batch: dispatch.BatchID(rapid.Uint64().Draw(t, "batch")), Checkout: rapid.Uint64().Draw(t, "checkout")}
		for i := range rapid.IntRange(0, 40).Draw(t, "checks") {
			if rapid.IntRange(0, 9).Draw(t, "traced") == 0 {
				h.batch.Traces = append(h.batch.Traces, dispatch.Traced{Check: i, Parent: traceid.OfCheck(int64(i), rapid.Uint64().Draw(t, "trace"), 1)})
			}
			h.batch.Checks = append(h.batch.Checks, dispatch.Check{
				Site: check.SiteID(rapid.Int64().Draw(t, "site")), Sequence: rapid.Uint64().Draw(t, "sequence"),
			})
			target := check.Target{URL: rapid.String().Draw(t, "url"), Timeout: time.Duration(rapid.IntRange(0, 20_000).Draw(t, "timeout")) * time.Millisecond}
			if rapid.IntRange(0, 9).Draw(t, "special") == 0 {
				target.RequiredTexts, target.Headers = []string{"text"}, []check.Header{{Name: "X-A", Value: "1"}}
			}
			h.targets = append(h.targets, target)
		}
		return h
	})
}

func TestABatchIsWrittenAsTheGeneratedCodeWritesIt(t *testing.T) {
	t.Parallel()
	m := newEncoded() // one for all, as in a session
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		h := handouts().Draw(t, "handout")
		want, err := proto.Marshal(generated(h))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.write(h); err != nil {
			t.Fatal(err)
		}
		if n := proto.Size(m); n != len(want) {
			t.Errorf("its size is said to be %d, it is %d", n, len(want))
		}
		// Like gRPC's codec.
		got, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(make([]byte, 0, len(want)), m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("\n got %x\nwant %x", got, want)
		}
	})
}

// now is the time at which these tests read requests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// read is a decoded request: its results, or the message.
type read struct {
	Ref     dispatch.Ref
	Results []engine.Result
	Other   *coordinatorv1.StreamAssignmentsRequest
}

// readGenerated reads by the generated code alone.
func readGenerated(wire []byte) (read, error) {
	m := &coordinatorv1.StreamAssignmentsRequest{}
	if err := proto.Unmarshal(wire, m); err != nil {
		return read{}, err
	}
	if r := m.GetResults(); r != nil {
		return read{Ref: refFromProto(r.GetBatch()), Results: readResults(now, r.GetResults())}, nil
	}
	return read{Other: m}, nil
}

// readByRequest reads like a session.
func readByRequest(m *request, wire []byte) (read, error) {
	m.Reset() // as package proto does
	if err := m.read(now, wire); err != nil {
		return read{}, err
	}
	switch {
	case m.isResults:
		return read{Ref: m.ref, Results: m.results}, nil
	case m.any.GetResults() != nil:
		r := m.any.GetResults()
		return read{Ref: refFromProto(r.GetBatch()), Results: readResults(now, r.GetResults())}, nil
	default:
		return read{Other: m.any}, nil
	}
}

func assertReadAlike(t rapid.TB, m *request, wire []byte) {
	t.Helper()
	want, wantErr := readGenerated(wire)
	got, err := readByRequest(m, wire)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%x: error %v, the generated code says %v", wire, err, wantErr)
	}
	if err != nil {
		return
	}
	alike := cmp.Comparer(func(a, b *coordinatorv1.StreamAssignmentsRequest) bool { return proto.Equal(a, b) })
	if d := cmp.Diff(want, got, alike, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%x (-generated +read):\n%s", wire, d)
	}
}

func requestOf(n int, o check.Observation) *coordinatorv1.StreamAssignmentsRequest {
	r := &coordinatorv1.Results{Batch: &coordinatorv1.BatchRef{BatchId: 7, CheckoutId: math.MaxUint64}}
	for i := range n {
		r.Results = append(r.Results, &coordinatorv1.Result{
			SiteId: int64(i + 1), Sequence: 9, Observation: checkpb.ObservationToProto(o), AgeMillis: uint32(i),
		})
	}
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Results{Results: r}}
}

func healthy() check.Observation {
	return check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: 200, Phase: check.PhaseDone, Method: check.MethodHead,
		Timing:          check.Timing{DNS: 1200 * time.Microsecond, Connect: 18 * time.Millisecond, TLS: 40 * time.Millisecond, FirstByte: 90 * time.Millisecond, Total: 150 * time.Millisecond},
		ResolvedAddress: "192.0.2.123:443", Protocol: "HTTP/1.1", CertificateExpire: time.Unix(1800000000, 0),
		Headers: map[string]string{"server": "nginx", "content-type": "text/html; charset=UTF-8"},
	}
}

// said returns requests of every kind.
func said() map[string]*coordinatorv1.StreamAssignmentsRequest {
	failing := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Reason: "nxdomain", Detail: "größer"}
	none := requestOf(3, healthy())
	none.GetResults().Results[1].Observation = nil
	old := requestOf(1, healthy())
	old.GetResults().Results[0].AgeMillis = math.MaxUint32
	return map[string]*coordinatorv1.StreamAssignmentsRequest{
		"healthy results":              requestOf(100, healthy()),
		"failures":                     requestOf(2, failing),
		"no result":                    requestOf(0, failing),
		"a result without observation": none,
		"a result of all ages":         old,
		"as many results as may be":    requestOf(maxResults, healthy()),
		"too many results":             requestOf(maxResults+1, healthy()),
		"results without a batch":      {Message: &coordinatorv1.StreamAssignmentsRequest_Results{Results: &coordinatorv1.Results{}}},
		"nothing":                      {},
		"a hello":                      {Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: &coordinatorv1.Hello{Node: "n"}}},
		"credit":                       {Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: 5}}},
		"a heartbeat": {Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{
			OpenBatches: []*coordinatorv1.BatchRef{{BatchId: 1, CheckoutId: 2}},
		}}},
		"leaving": {Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}},
	}
}

func TestRequestsAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	for name, m := range said() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			into := newRequest()
			assertReadAlike(t, into, wire)
			// Two concatenated messages are one message that was sent in parts.
			assertReadAlike(t, into, append(bytes.Clone(wire), wire...))
			for cut := range min(len(wire), 200) {
				assertReadAlike(t, into, wire[:cut])
			}
		})
	}
}

// A request reuses the memory of the one before, of which nothing may remain.
func TestNothingOfTheRequestBeforeIsLeft(t *testing.T) {
	t.Parallel()
	into := newRequest()
	for range 20 {
		for _, m := range said() { // in any order
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			assertReadAlike(t, into, wire)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, m := range said() {
		if wire, err := proto.Marshal(m); err == nil && len(wire) < 4096 {
			f.Add(wire)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) { assertReadAlike(t, newRequest(), wire) })
}

func BenchmarkReadResults(b *testing.B) {
	wire, err := proto.Marshal(requestOf(100, healthy()))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("here", func(b *testing.B) {
		m := newRequest()
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(wire, m); err != nil || len(m.results) != 100 {
				b.Fatal(err)
			}
		}
		perCheck(b)
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r, err := readGenerated(wire); err != nil || len(r.Results) != 100 {
				b.Fatal(err)
			}
		}
		perCheck(b)
	})
}

func BenchmarkWriteAssignments(b *testing.B) {
	h := handout{lease: time.Minute, batch: dispatch.Batch{Ref: dispatch.Ref{Batch: 1 << 20, Checkout: 1 << 63}}}
	for i := range 100 {
		h.batch.Checks = append(h.batch.Checks, dispatch.Check{Site: check.SiteID(1_000_000 + i), Sequence: 1000})
		h.targets = append(h.targets, check.Target{URL: fmt.Sprintf("https://www.a-web-site-%08d.example/", i), Timeout: 10 * time.Second})
	}
	var buf []byte
	b.Run("here", func(b *testing.B) {
		m := newEncoded()
		b.ReportAllocs()
		for b.Loop() {
			if err := m.write(h); err != nil {
				b.Fatal(err)
			}
			buf, _ = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf[:0], m)
		}
		perCheck(b)
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = proto.MarshalOptions{}.MarshalAppend(buf[:0], generated(h))
		}
		perCheck(b)
	})
}

func perCheck(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/check")
}
