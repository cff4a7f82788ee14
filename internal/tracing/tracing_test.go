package tracing_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, o tracing.Options) *tracing.Export {
	t.Helper()
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	x, err := tracing.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestACheckIsASpanWithItsPhasesBelowAndNoSecretInIt(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Service: "jetmon-checker"})
	self, parent := traceid.OfCheck(7, 1, 2), traceid.OfCheck(7, 0, 9)
	end := time.Unix(1_700_000_000, 0)
	x.Spans().RecordProbe(t.Context(), tracing.Probe{
		Self: self.Within(parent), Parent: parent, URL: "https://me:secret@example.com/a?key=secret&flag#f", End: end, Node: "c1", Region: "eu", Site: 7,
		Seen: check.Observation{
			Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503, Method: check.MethodHead, ResolvedAddress: "192.0.2.1:443",
			Timing: check.Timing{DNS: 10 * time.Millisecond, Connect: 20 * time.Millisecond, FirstByte: 30 * time.Millisecond, Total: 100 * time.Millisecond},
		},
	})
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	names := map[string]otlp.Span{}
	for _, s := range spans {
		names[s.Name] = s
		if strings.Contains(s.String(), "secret") {
			t.Errorf("a secret is in %v", s)
		}
	}
	got := names["check"]
	if got.Span == nil || len(spans) != 4 {
		t.Fatalf("%d spans, want a check with dns, connect and wait", len(spans))
	}
	if got.Service != "jetmon-checker" || got.Trace() != parent.TraceID() || got.ID() != self.SpanID() || got.ParentID() != parent.SpanID() {
		t.Errorf("the check is %s-%s below %s, of %s", got.Trace(), got.ID(), got.ParentID(), got.Service)
	}
	for key, want := range map[string]any{
		"url.full": "https://REDACTED@example.com/a?key=REDACTED&REDACTED", "server.address": "example.com", "http.response.status_code": int64(503),
		"http.request.method": "HEAD", "error.type": "server", "network.peer.address": "192.0.2.1", "jetmon.site.id": int64(7), "jetmon.node": "c1",
	} {
		if v := got.Attribute(key); v != want {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	at := uint64(end.Add(-100 * time.Millisecond).UnixNano())
	for _, phase := range []struct {
		name string
		took time.Duration
	}{{"dns", 10 * time.Millisecond}, {"connect", 20 * time.Millisecond}, {"wait", 30 * time.Millisecond}} {
		s := names[phase.name]
		if s.Span == nil || s.ParentID() != got.ID() || s.StartTimeUnixNano != at || s.EndTimeUnixNano != at+uint64(phase.took) {
			t.Errorf("%s is %v, want %s from %d on", phase.name, s, phase.took, at)
		}
		at += uint64(phase.took)
	}
}

func TestOnlyWhatSomebodyDecidedToRecordIsRecorded(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true})
	r := x.Spans()
	r.RecordProbe(t.Context(), tracing.Probe{URL: "https://example.com/", End: time.Now()})
	_, end := r.Begin(t.Context(), tracing.Span{Name: "of no trace"})
	end("")
	root := traceid.OfCheck(1, 1, 1)
	ctx, end := r.Begin(t.Context(), tracing.Span{Name: "root", Self: root, Link: traceid.OfCheck(1, 0, 0)})
	if !tracing.Traced(ctx) || tracing.Traced(t.Context()) || !tracing.Traced(tracing.Carry(t.Context(), ctx)) {
		t.Error("the context of a span is not traced, or another one is")
	}
	r.RecordProbe(ctx, tracing.Probe{URL: "https://example.com/", End: time.Now()})
	end("it failed")
	var off *tracing.Recorder
	off.Record(t.Context(), tracing.Span{Self: root})
	off.RecordProbe(t.Context(), tracing.Probe{Self: root})
	if off.Client() != nil || off.Server() != nil || off.On() {
		t.Error("without a collector, calls are recorded")
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.Spans() {
		names = append(names, s.Name)
		if s.Trace() != root.TraceID() {
			t.Errorf("%s is in trace %s", s.Name, s.Trace())
		}
		if s.Name == "root" && (s.ID() != root.SpanID() || len(s.Links) != 1 || s.GetStatus().GetMessage() != "it failed") {
			t.Errorf("root is %v", s)
		}
	}
	slices.Sort(names)
	if want := []string{"check", "root"}; !slices.Equal(names, want) {
		t.Errorf("recorded are %q, want %q", names, want)
	}
}

func TestACollectorThatIsAwayCostsCountedSpansAndTwoLinesOfTheLog(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	c.Refuse(status.Error(codes.InvalidArgument, "not now"))
	registry := prometheus.NewRegistry()
	var text bytes.Buffer
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Metrics: true, Registry: registry, Log: obs.NewLogger(&text, slog.LevelInfo, "text")})
	const spans = 20_000
	began := time.Now()
	for i := range uint64(spans) {
		x.Spans().Record(t.Context(), tracing.Span{Name: "x", Self: traceid.OfCheck(1, i, 1), Start: began, End: began})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d spans took %s although nobody takes them: the queue waits", spans, took)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Log(err)
	}
	dropped := value(t, registry, "jetmon_trace_spans_dropped_total")
	if sent := value(t, registry, "jetmon_trace_spans_sent_total"); dropped != spans || sent != 0 {
		t.Errorf("%v dropped and %v sent, of %d", dropped, sent, spans)
	}
	if n := strings.Count(text.String(), "exporting traces failed"); n != 1 || strings.Count(text.String(), "\n") > 3 {
		t.Errorf("the log has\n%s", text.String())
	}
}

func TestAProcessEndsInTimeAlthoughItsCollectorHangs(t *testing.T) {
	t.Parallel()
	// An address that takes connections and never answers.
	l := silent(t)
	x := open(t, tracing.Options{Endpoint: l, Traces: true, Metrics: true})
	x.Spans().Record(t.Context(), tracing.Span{Name: "x", Self: traceid.OfCheck(1, 1, 1), Start: time.Now(), End: time.Now()})
	began := time.Now()
	if err := x.Close(t.Context()); err == nil {
		t.Error("no word of what was lost")
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestMetricsAreThoseOfTheRegistryWithTheirExemplars(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	registry := prometheus.NewRegistry()
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Metrics: true, Registry: registry, Service: "jetmon-checker"})
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "jetmon_x_seconds", Help: "X.", Buckets: []float64{1, 2}})
	registry.MustRegister(seconds)
	self := traceid.OfCheck(1, 1, 1)
	obs.Observe(tracing.Inside(context.Background(), self), seconds, 1.5)
	obs.Observe(t.Context(), seconds, 0.5)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := c.Metric("jetmon_x_seconds")
	if m == nil {
		t.Fatal("the metric did not come")
	}
	points := m.GetHistogram().GetDataPoints()
	if len(points) != 1 || points[0].GetCount() != 2 || len(points[0].GetExemplars()) != 1 {
		t.Fatalf("got %v", m)
	}
	if got := points[0].GetExemplars()[0]; !bytes.Equal(got.GetTraceId(), self.Trace[:]) || !bytes.Equal(got.GetSpanId(), self.Span[:]) {
		t.Errorf("the exemplar is %v, want the trace %s", got, self.TraceID())
	}
	if c.Metric("jetmon_trace_spans_sent_total") == nil {
		t.Error("the export's own metrics did not come")
	}
}

func TestAnEndpointIsAURLOrHostAndPort(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"ftp://x:1", "nothing", "://", "http://"} {
		if x, err := tracing.Open(t.Context(), tracing.Options{Endpoint: endpoint, Traces: true, Registry: prometheus.NewRegistry()}); err == nil {
			_ = x.Close(t.Context())
			t.Errorf("%q is accepted", endpoint)
		}
	}
	for _, endpoint := range []string{"https://me:secret@x:1", "ftp://me:secret@x:1", "me:secret@x"} {
		_, err := tracing.Open(t.Context(), tracing.Options{Endpoint: endpoint, Traces: true, Registry: prometheus.NewRegistry()})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func value(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("%s is no metric", name)
	return 0
}
