package tracing

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/Automattic/jetmon/internal/obs"
)

const (
	// maxWaiting bounds the spans that wait for the collector, maxTogether those in one message.
	maxWaiting  = 8192
	maxTogether = 512
	// sendEvery is how long a span waits for others to share its message, sendTimeout how long
	// the collector has to take one.
	sendEvery   = time.Second
	sendTimeout = 10 * time.Second
)

// queue hands ended spans to an exporter, in messages, on a goroutine of its own. A span that
// finds it full is dropped. It is the SDK's batch processor, but for that: drops are counted, and
// a collector that is away is two lines of the log.
type queue struct {
	to trace.SpanExporter
	// maxValue bounds a text among a span's attributes, in characters.
	maxValue int
	spans    chan trace.ReadOnlySpan
	flush    chan chan struct{}
	closing  chan struct{}
	once     sync.Once
	ended    chan struct{}
	edge     obs.Edge

	sent, dropped prometheus.Counter
}

func newQueue(to trace.SpanExporter, maxValue int, r prometheus.Registerer, log *slog.Logger) *queue {
	q := &queue{
		to: to, maxValue: maxValue, spans: make(chan trace.ReadOnlySpan, maxWaiting), flush: make(chan chan struct{}),
		closing: make(chan struct{}), ended: make(chan struct{}),
		edge: obs.Edge{Log: log, What: "exporting traces", Level: slog.LevelWarn},
		sent: obs.Register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jetmon_trace_spans_sent_total", Help: "Spans that the collector took."})),
		dropped: obs.Register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jetmon_trace_spans_dropped_total", Help: "Spans that were lost: the collector was away, refused them or was too slow."})),
	}
	go q.run()
	return q
}

// OnStart implements trace.SpanProcessor.
func (q *queue) OnStart(context.Context, trace.ReadWriteSpan) {}

// OnEnd implements trace.SpanProcessor. It never waits.
func (q *queue) OnEnd(s trace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case <-q.closing:
		q.dropped.Inc()
		return
	default:
	}
	select {
	case q.spans <- clean(s, q.maxValue):
	default:
		q.dropped.Inc()
	}
}

// run sends until the queue is closed, and then what is left.
func (q *queue) run() {
	defer close(q.ended)
	timer := time.NewTicker(sendEvery)
	defer timer.Stop()
	batch := make([]trace.ReadOnlySpan, 0, maxTogether)
	for {
		var flushed chan struct{}
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) < maxTogether {
				continue
			}
		case <-timer.C:
		case flushed = <-q.flush:
		case <-q.closing:
			q.drain(batch)
			return
		}
		if flushed != nil {
			q.drain(batch)
			close(flushed)
		} else {
			q.send(batch)
		}
		clear(batch)
		batch = batch[:0]
	}
}

// drain sends a batch, and all that waits at the moment.
func (q *queue) drain(batch []trace.ReadOnlySpan) {
	for range len(q.spans) {
		if batch = append(batch, <-q.spans); len(batch) == maxTogether {
			q.send(batch)
			batch = batch[:0]
		}
	}
	q.send(batch)
}

func (q *queue) send(batch []trace.ReadOnlySpan) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	// Once the queue is closing, somebody waits: Shutdown ends the exporter when they no longer do.
	err := q.to.ExportSpans(ctx, batch)
	q.edge.Note(inBrief(err))
	lost := 0
	if r, ok := errors.AsType[*refusal](err); ok {
		lost = int(min(r.refused, int64(len(batch))))
	} else if err != nil {
		lost = len(batch)
	}
	q.dropped.Add(float64(lost))
	q.sent.Add(float64(len(batch) - lost))
}

// ForceFlush implements trace.SpanProcessor.
func (q *queue) ForceFlush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case q.flush <- done:
	case <-q.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shutdown implements trace.SpanProcessor.
func (q *queue) Shutdown(ctx context.Context) error {
	q.once.Do(func() { close(q.closing) })
	select {
	case <-q.ended:
		return q.to.Shutdown(ctx)
	case <-ctx.Done():
	}
	err := q.to.Shutdown(ctx) // ends the call under way; what waits after it fails, and is counted
	<-q.ended
	return errors.Join(ctx.Err(), err)
}
