package checker

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

// metrics are the metrics of one checker. They never have a label per site.
type metrics struct {
	checks                                    obs.Outcomes
	pages                                     map[check.PageVerdict]prometheus.Counter
	accepted, duplicate, late, stale, refused prometheus.Counter
	sessions, inFlight                        prometheus.Gauge
	ended                                     prometheus.Counter
	released                                  prometheus.Counter
	seconds                                   prometheus.Observer
}

func newMetrics(r prometheus.Registerer, node string) *metrics {
	part := obs.Part{Registerer: r, Label: "checker", Value: node}
	results := part.Counters("jetmon_checker_results_total",
		"Results that a coordinator answered: accepted, duplicate, late, stale, or refused (the whole message).", "answer")
	pages := part.Counters("jetmon_checker_page_checks_total",
		"Checks of a checker that judged the page as a whole, by verdict: good, broken, empty or remarked.", "verdict")
	m := &metrics{
		checks:    obs.NewOutcomes(part.Counters("jetmon_checker_checks_total", "Checks that a checker ran, by outcome.", "outcome")),
		accepted:  results("accepted"),
		duplicate: results("duplicate"),
		late:      results("late"),
		stale:     results("stale"),
		refused:   results("refused"),
		sessions:  part.Gauge("jetmon_checker_sessions", "Coordinators that a checker is connected to."),
		inFlight:  part.Gauge("jetmon_checker_in_flight", "Checks of a checker that run now."),
		ended:     part.Counter("jetmon_checker_sessions_ended_total", "Sessions with a coordinator that ended or never began."),
		released:  part.Counter("jetmon_checker_batches_released_total", "Batches that were given back, whole or in part."),
		seconds: part.Histogram("jetmon_checker_check_seconds", "How long the checks of a checker took.",
			.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20),
		pages: map[check.PageVerdict]prometheus.Counter{},
	}
	for _, v := range check.PageVerdicts() {
		m.pages[v] = pages(string(v))
	}
	return m
}

// count counts a check, which may have a span in ctx.
func (m *metrics) count(ctx context.Context, o check.Observation) {
	obs.Observe(ctx, m.seconds, o.Timing.Total.Seconds())
	m.checks.Count(o.Outcome)
	if c := m.pages[o.PageVerdict()]; c != nil {
		c.Inc()
	}
}
