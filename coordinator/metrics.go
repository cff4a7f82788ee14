package coordinator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/engine"
)

// register shows the engine's and the ledger's counts. They are documented in
// docs/operations.md.
func (c *Coordinator) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var metrics []prometheus.Collector
	counter := func(name, help string, read func(engine.Counters) uint64) {
		metrics = append(metrics, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(read(c.engine.Counters())) }))
	}
	gauge := func(name, help string, read func() float64) {
		metrics = append(metrics, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	summary := func(name, help string, read func(engine.Summary) float64) {
		gauge(name, help, func() float64 { return read(c.engine.Summary()) })
	}
	counter("jetmon_checks_total", "Check results that counted.", func(n engine.Counters) uint64 { return n.Checks })
	counter("jetmon_failures_total", "Check results that found a site down.", func(n engine.Counters) uint64 { return n.Failures })
	counter("jetmon_blips_total", "Runs of failures that ended by themselves.", func(n engine.Counters) uint64 { return n.Blips })
	counter("jetmon_false_alarms_total", "Ballots that the verifliers rejected.", func(n engine.Counters) uint64 { return n.FalseAlarms })
	counter("jetmon_inconclusive_total", "Ballots that the verifliers could not decide.", func(n engine.Counters) uint64 { return n.Inconclusive })
	counter("jetmon_status_changes_total", "Status changes that were committed.", func(n engine.Counters) uint64 { return n.Changes })
	summary("jetmon_sites", "Sites that are watched.", func(s engine.Summary) float64 { return float64(s.Sites) })
	summary("jetmon_suspect_sites", "Sites that fail and that nobody has been told of.", func(s engine.Summary) float64 { return float64(s.Suspect) })
	summary("jetmon_down_sites", "Sites with an outage.", func(s engine.Summary) float64 { return float64(s.Down) })
	summary("jetmon_held_sites", "Suspect sites on which the verifliers cannot agree (at most 100 are counted).", func(s engine.Summary) float64 { return float64(len(s.Held)) })
	summary("jetmon_queued_checks", "Checks that are due and that no checker has room for.", func(s engine.Summary) float64 { return float64(s.Queued) })
	summary("jetmon_open_checks", "Checks that are queued or handed out.", func(s engine.Summary) float64 { return float64(s.Open) })
	summary("jetmon_checkers", "Checkers that are connected.", func(s engine.Summary) float64 { return float64(len(s.Checkers)) })
	gauge("jetmon_uncommitted_changes", "Status changes that are not in the database yet.", func() float64 { return float64(c.ledger.Status().Uncommitted) })
	for _, m := range metrics {
		if err := r.Register(m); err != nil {
			return err
		}
	}
	return nil
}
