package tracing_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

// exportTen sends ten spans in one message to a collector, and returns how many were counted as sent
// and as dropped, and the log.
func exportTen(t *testing.T, c *otlp.Collector) (sent, dropped float64, log string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	var text bytes.Buffer
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Metrics: true, Registry: registry, Log: obs.NewLogger(&text, slog.LevelInfo, "text")})
	now := time.Now()
	for i := range uint64(10) {
		x.Spans().Record(t.Context(), tracing.Span{Name: "x", Self: traceid.OfCheck(1, i, 1), Start: now, End: now})
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); sent+dropped < 10; <-tick.C { // Close waits for two seconds only
		sent, dropped = value(t, registry, "jetmon_trace_spans_sent_total"), value(t, registry, "jetmon_trace_spans_dropped_total")
		if time.Now().After(deadline) {
			t.Fatalf("%v sent and %v dropped, of 10", sent, dropped)
		}
	}
	if err := x.Close(t.Context()); err != nil {
		t.Logf("the end of the export: %.100s", err)
	}
	return sent, dropped, text.String()
}

func TestWhatACollectorRefusesIsCountedAndWhatItRemarksIsNot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		refused       int64
		why           string
		sent, dropped float64
		logged        bool
	}{
		{0, "", 10, 0, false},
		{0, "please use the other port", 10, 0, false},
		{3, "too old", 7, 3, true},
		{1 << 40, "all of them", 0, 10, true},
		{-5, "nonsense", 10, 0, false},
	} {
		t.Run(fmt.Sprint(tt.refused, tt.why), func(t *testing.T) {
			t.Parallel()
			c := otlp.New(t)
			c.RefuseSome(tt.refused, tt.why)
			sent, dropped, log := exportTen(t, c)
			if sent != tt.sent || dropped != tt.dropped || strings.Contains(log, "exporting traces failed") != tt.logged {
				t.Errorf("%v sent and %v dropped, want %v and %v; the log has %q", sent, dropped, tt.sent, tt.dropped, log)
			}
		})
	}
}

func TestALongAnswerOfACollectorIsNotLoggedInFull(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("no ", 300_000)
	for name, refuse := range map[string]func(*otlp.Collector){
		"all":  func(c *otlp.Collector) { c.Refuse(status.Error(codes.InvalidArgument, long)) },
		"some": func(c *otlp.Collector) { c.RefuseSome(3, long) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := otlp.New(t)
			refuse(c)
			_, _, log := exportTen(t, c)
			if !strings.Contains(log, "exporting traces failed") || len(log) > 10_000 {
				t.Errorf("the log has %d bytes", len(log))
			}
		})
	}
}
