package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/obs"
)

// metrics counts requests by route (never by path), method and HTTP status.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		requests: obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetmon_gateway_requests_total", Help: "REST requests by route, method and HTTP status.",
		}, []string{"route", "method", "status"})),
		seconds: obs.Register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jetmon_gateway_seconds", Help: "Time to answer a REST request.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 2.5, 5, 10},
		}, []string{"route"})),
	}
}

// countedWriter records route and status of the answer.
type countedWriter struct {
	http.ResponseWriter
	metrics  *metrics
	start    time.Time
	route    string // template; "" means an unknown path
	status   int    // 0 until something was written
	headOnly bool
	// wordPress means that errors have WordPress's shape.
	wordPress bool
	zip       zipped
	zips      bool // the answer is compressed
}

func (m *metrics) begin(w http.ResponseWriter) *countedWriter {
	return &countedWriter{ResponseWriter: w, metrics: m, start: time.Now()}
}

// Unwrap returns the inner writer, for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *countedWriter) wrote() bool { return w.status != 0 }

// WriteHeader passes the first status on.
func (w *countedWriter) WriteHeader(status int) {
	if w.wrote() {
		return
	}
	w.status = status
	w.zips = w.zip.begin(w.Header())
	w.ResponseWriter.WriteHeader(status)
}

// Write passes the body on, unless the request was HEAD.
func (w *countedWriter) Write(b []byte) (int, error) {
	if !w.wrote() {
		w.WriteHeader(http.StatusOK)
	}
	if w.headOnly {
		return len(b), nil
	}
	if w.zips {
		return w.zip.to(w.ResponseWriter).Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// FlushError has the client get what was written, for http.ResponseController.
func (w *countedWriter) FlushError() error {
	if err := w.zip.flush(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// end ends the answer and counts the request. All unknown methods share a label, and so do all unknown paths.
func (w *countedWriter) end(method string) {
	w.zip.end()
	route := w.route
	if route == "" {
		route = "other"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete:
	default:
		method = "other"
	}
	w.metrics.requests.WithLabelValues(route, method, strconv.Itoa(w.status)).Inc()
	w.metrics.seconds.WithLabelValues(route).Observe(time.Since(w.start).Seconds())
}
