package checker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

// metrics of one checker. Several of one process share the collectors and differ in
// the label; there is never a label of a site.
type metrics struct {
	up, down, unknown                         prometheus.Counter
	accepted, duplicate, late, stale, refused prometheus.Counter
	sessions, inFlight                        prometheus.Gauge
	ended                                     prometheus.Counter
	released                                  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, node string) *metrics {
	checks := obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jetmon_checker_checks_total", Help: "Checks that a checker ran, by outcome.",
	}, []string{"checker", "outcome"}))
	results := obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jetmon_checker_results_total",
		Help: "Results that a coordinator answered: accepted, duplicate, late, stale, or refused (the whole message).",
	}, []string{"checker", "answer"}))
	gauge := func(name, help string) prometheus.Gauge {
		return obs.Register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"checker"})).WithLabelValues(node)
	}
	counter := func(name, help string) prometheus.Counter {
		return obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"checker"})).WithLabelValues(node)
	}
	return &metrics{
		up:        checks.WithLabelValues(node, "up"),
		down:      checks.WithLabelValues(node, "down"),
		unknown:   checks.WithLabelValues(node, "unknown"),
		accepted:  results.WithLabelValues(node, "accepted"),
		duplicate: results.WithLabelValues(node, "duplicate"),
		late:      results.WithLabelValues(node, "late"),
		stale:     results.WithLabelValues(node, "stale"),
		refused:   results.WithLabelValues(node, "refused"),
		sessions:  gauge("jetmon_checker_sessions", "Coordinators that a checker is connected to."),
		inFlight:  gauge("jetmon_checker_in_flight", "Checks of a checker that run now."),
		ended:     counter("jetmon_checker_sessions_ended_total", "Sessions with a coordinator that ended or never began."),
		released:  counter("jetmon_checker_batches_released_total", "Batches that were given back, whole or in part."),
	}
}

func (m *metrics) outcome(o check.Outcome) {
	switch o {
	case check.OutcomeUp:
		m.up.Inc()
	case check.OutcomeDown:
		m.down.Inc()
	default:
		m.unknown.Inc()
	}
}
