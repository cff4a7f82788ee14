package notify

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts WordPress.com's answers.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, status func() Status) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetmon_notify_attempts_total",
			Help: "Attempts to deliver a notification to WordPress.com, by result: accepted, refused (answered, but not with success) or failed (no answer).",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jetmon_notify_attempt_seconds",
			Help:    "Duration of an attempt to deliver a notification.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}),
	}
	for _, r := range []string{resultAccepted, resultRefused, resultFailed} {
		m.attempts.WithLabelValues(r)
	}
	if reg == nil {
		return m, nil
	}
	pending := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jetmon_notify_pending",
		Help: "Notifications that WordPress.com has not accepted yet.",
	}, func() float64 { return float64(status().Pending) })
	untold := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jetmon_notify_untold_sites",
		Help: "Sites whose recorded status WordPress.com does not know because delivery is switched off; 0 while it is on.",
	}, func() float64 { return float64(status().Untold) })
	refused := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jetmon_notify_refused_seconds",
		Help: "How long the notification that has failed longest has been failing; 0 when none fails.",
	}, func() float64 {
		if since := status().RefusedSince; !since.IsZero() {
			return time.Since(since).Seconds()
		}
		return 0
	})
	for _, c := range []prometheus.Collector{m.attempts, m.seconds, pending, untold, refused} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// The results of an attempt.
const (
	resultAccepted = "accepted"
	resultRefused  = "refused"
	resultFailed   = "failed"
)

func (m *metrics) attempt(err error, took time.Duration) {
	result := resultAccepted
	if err != nil {
		result = resultFailed
		if e, ok := errors.AsType[*attemptError](err); ok && e.refused {
			result = resultRefused
		}
	}
	m.attempts.WithLabelValues(result).Inc()
	m.seconds.Observe(took.Seconds())
}
