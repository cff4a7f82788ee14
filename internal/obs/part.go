package obs

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/check"
)

// Part makes the metrics of one part of a process. Parts of a kind share the collectors
// and differ in the value of a label, as the checkers of one process do in "checker".
type Part struct {
	// Registerer is the process's registry; nil registers nothing.
	Registerer prometheus.Registerer
	// Label is the name of the label, Value its value for this part.
	Label, Value string
}

// Counter makes a counter.
func (p Part) Counter(name, help string) prometheus.Counter {
	return Register(p.Registerer, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{p.Label})).WithLabelValues(p.Value)
}

// Counters makes counters that differ in a further label. It returns a function from the
// label's value to its counter.
func (p Part) Counters(name, help, by string) func(value string) prometheus.Counter {
	all := Register(p.Registerer, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{p.Label, by}))
	return func(value string) prometheus.Counter { return all.WithLabelValues(p.Value, value) }
}

// Gauge makes a gauge.
func (p Part) Gauge(name, help string) prometheus.Gauge {
	return Register(p.Registerer, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{p.Label})).WithLabelValues(p.Value)
}

// Histogram makes a histogram with these upper bounds.
func (p Part) Histogram(name, help string, bounds ...float64) prometheus.Observer {
	return Register(p.Registerer, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: bounds,
	}, []string{p.Label})).WithLabelValues(p.Value)
}

// Outcomes counts checks by their outcome.
type Outcomes struct{ up, down, unknown prometheus.Counter }

// NewOutcomes makes Outcomes from the counters for "up", "down" and "unknown".
func NewOutcomes(of func(outcome string) prometheus.Counter) Outcomes {
	return Outcomes{up: of("up"), down: of("down"), unknown: of("unknown")}
}

// Count counts a check.
func (c Outcomes) Count(o check.Outcome) {
	switch o {
	case check.OutcomeUp:
		c.up.Inc()
	case check.OutcomeDown:
		c.down.Inc()
	default:
		c.unknown.Inc()
	}
}
