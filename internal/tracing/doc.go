// Package tracing sends spans and metrics to a collector by OTLP (OpenTelemetry's protocol).
//
// It decides nothing: whoever knows that something belongs to a trace records a span of it, under
// ids of package traceid. A nil *Recorder records nothing, which is how every role runs without a
// collector: then there is no SDK, no goroutine and no connection.
//
// What waits for the collector is bounded. A collector that is away or slow costs spans, which
// are counted, and never the time of a check or of a call.
//
// Goroutines: the queue's sender and the reader of metrics, both from Open until Close.
package tracing
