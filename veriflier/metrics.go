package veriflier

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

// metrics of one veriflier. Several of one process share the collectors and differ in
// the label; there is never a label of a site.
type metrics struct {
	up, down, unknown         prometheus.Counter
	joined, refused, canceled prometheus.Counter
	inFlight                  prometheus.Gauge
	seconds                   prometheus.Observer
}

func newMetrics(r prometheus.Registerer, name string) *metrics {
	checks := obs.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jetmon_veriflier_checks_total",
		Help: "Checks that a veriflier was asked for, by how they ended: up, down, unknown; joined (the id was known), refused (too many at once), canceled (nobody waited any more, or draining).",
	}, []string{"veriflier", "result"}))
	inFlight := obs.Register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "jetmon_veriflier_in_flight", Help: "Checks of a veriflier that run now.",
	}, []string{"veriflier"}))
	seconds := obs.Register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "jetmon_veriflier_check_seconds", Help: "How long the checks of a veriflier took.",
		Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60},
	}, []string{"veriflier"}))
	return &metrics{
		up:       checks.WithLabelValues(name, "up"),
		down:     checks.WithLabelValues(name, "down"),
		unknown:  checks.WithLabelValues(name, "unknown"),
		joined:   checks.WithLabelValues(name, "joined"),
		refused:  checks.WithLabelValues(name, "refused"),
		canceled: checks.WithLabelValues(name, "canceled"),
		inFlight: inFlight.WithLabelValues(name),
		seconds:  seconds.WithLabelValues(name),
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
