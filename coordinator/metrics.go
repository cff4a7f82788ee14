package coordinator

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/coordinator/state/feed"
)

// register shows the engine's, the committer's and the ownership's figures. They are documented in
// docs/operations.md.
func (c *Coordinator) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	return r.Register(&figures{c: c, figures: allFigures(), reasons: prometheus.NewDesc("jetmon_uncheckable_sites_by_reason",
		"Sites whose URL cannot be checked at all, by the reason.", []string{"reason"}, nil)})
}

// state is what the figures are read from.
type state struct {
	engine    engine.Summary
	committer committer.Status
	uncertain int // shards
	feed      feed.Status
	// verifliers are configured, and those that cannot vote or were not asked yet.
	verifliers, voteless int
}

// figure is one metric and how it is read.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(state) float64
}

func allFigures() []figure {
	var out []figure
	add := func(kind prometheus.ValueType, name, help string, read func(state) float64) {
		out = append(out, figure{prometheus.NewDesc(name, help, nil, nil), kind, read})
	}
	counter := func(name, help string, read func(engine.Counters) uint64) {
		add(prometheus.CounterValue, name, help, func(s state) float64 { return float64(read(s.engine.Counters)) })
	}
	gauge := func(name, help string, read func(engine.Summary) float64) {
		add(prometheus.GaugeValue, name, help, func(s state) float64 { return read(s.engine) })
	}
	counter("jetmon_checks_total", "Check results that counted.", func(n engine.Counters) uint64 { return n.Checks })
	counter("jetmon_failures_total", "Check results that found a site down.", func(n engine.Counters) uint64 { return n.Failures })
	counter("jetmon_blips_total", "Runs of failures that ended by themselves.", func(n engine.Counters) uint64 { return n.Blips })
	counter("jetmon_false_alarms_total", "Ballots that the verifliers rejected.", func(n engine.Counters) uint64 { return n.FalseAlarms })
	counter("jetmon_inconclusive_total", "Ballots that the verifliers could not decide.", func(n engine.Counters) uint64 { return n.Inconclusive })
	counter("jetmon_status_changes_total", "Status changes that were committed.", func(n engine.Counters) uint64 { return n.Changes })
	counter("jetmon_stale_results_total", "Results that came for sites of a shard that was lost.", func(n engine.Counters) uint64 { return n.Stale })
	counter("jetmon_history_notes_dropped_total", "Checks that are not kept because nobody took their notes for half an hour.", func(n engine.Counters) uint64 { return n.NotesDropped })
	add(prometheus.CounterValue, "jetmon_fenced_changes_total", "Status changes that became void because their shard was lost before they were written.",
		func(s state) float64 { return float64(s.committer.Fenced) })
	gauge("jetmon_sites", "Sites that are watched.", func(s engine.Summary) float64 { return float64(s.Sites) })
	gauge("jetmon_suspect_sites", "Sites that fail and that nobody has been told of.", func(s engine.Summary) float64 { return float64(s.Suspect) })
	gauge("jetmon_down_sites", "Sites with an outage.", func(s engine.Summary) float64 { return float64(s.Down) })
	gauge("jetmon_uncheckable_sites", "Sites whose URL cannot be checked at all.", func(s engine.Summary) float64 { return float64(s.Uncheckable) })
	gauge("jetmon_held_sites", "Suspect sites on which the verifliers cannot agree.", func(s engine.Summary) float64 { return float64(s.UndecidedCount) })
	gauge("jetmon_readers_disagree_sites", "Suspect sites about which the readers of a veriflier disagree.", func(s engine.Summary) float64 { return float64(s.DisagreementCount) })
	gauge("jetmon_queued_checks", "Checks that are due and that no checker has room for.", func(s engine.Summary) float64 { return float64(s.Queued) })
	gauge("jetmon_parked_checks", "Checks that wait because their host has enough at once.", func(s engine.Summary) float64 { return float64(s.Parked) })
	gauge("jetmon_open_checks", "Checks that are queued, parked or handed out.", func(s engine.Summary) float64 { return float64(s.Open) })
	gauge("jetmon_checkers", "Checkers that are connected.", func(s engine.Summary) float64 { return float64(len(s.Checkers)) })
	gauge("jetmon_coverage", "Share of the checks asked for by intervals that were made in time, in the last five minutes; NaN until known.", func(s engine.Summary) float64 {
		if !s.Coverage.Known {
			return math.NaN()
		}
		return s.Coverage.Coverage
	})
	gauge("jetmon_interval_stretch", "By how much intervals were stretched in the last minute because checkers do not keep up.", func(s engine.Summary) float64 { return s.Coverage.Stretch })
	gauge("jetmon_lateness_p50_seconds", "How late half the checks were handed out at most, in the last five minutes.", func(s engine.Summary) float64 { return s.Coverage.P50.Seconds() })
	gauge("jetmon_lateness_p99_seconds", "How late 99 % of the checks were handed out at most, in the last five minutes.", func(s engine.Summary) float64 { return s.Coverage.P99.Seconds() })
	gauge("jetmon_lateness_max_seconds", "How late the latest check was handed out, in the last five minutes.", func(s engine.Summary) float64 { return s.Coverage.Most.Seconds() })
	add(prometheus.GaugeValue, "jetmon_uncommitted_changes", "Status changes that are not in the database yet.",
		func(s state) float64 { return float64(s.committer.Uncommitted) })
	add(prometheus.GaugeValue, "jetmon_unsure_shards", "Shards whose leases could not be renewed for 10 s: nothing is written for their sites until they are, or are another's.",
		func(s state) float64 { return float64(s.uncertain) })
	add(prometheus.GaugeValue, "jetmon_watchers", "Streams of WatchChanges at this coordinator.", func(s state) float64 { return float64(s.feed.Watchers) })
	add(prometheus.CounterValue, "jetmon_watchers_dropped_total", "Streams of WatchChanges that ended because their watcher was too slow.", func(s state) float64 { return float64(s.feed.Slow) })
	add(prometheus.GaugeValue, "jetmon_watch_ring_events", "Events that are kept in memory for those who watch changes.", func(s state) float64 { return float64(s.feed.Events) })
	add(prometheus.GaugeValue, "jetmon_verifliers", "Verifliers of the panel.", func(s state) float64 { return float64(s.verifliers) })
	add(prometheus.GaugeValue, "jetmon_verifliers_voteless", "Verifliers that cannot vote: they do not answer, want another token, answer under another name, are not well, or were not asked yet.",
		func(s state) float64 { return float64(s.voteless) })
	return out
}

// figures reads all of them at once: what they are taken from is counted site by site.
type figures struct {
	c       *Coordinator
	figures []figure
	// reasons shows the uncheckable sites by reason.
	reasons *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, one := range f.figures {
		ch <- one.desc
	}
	ch <- f.reasons
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	uncertain, _ := f.c.ownership.Held().Uncertain()
	now := state{engine: f.c.engine.Summary(time.Now()), committer: f.c.committer.Status(), uncertain: uncertain, feed: f.c.feed.Status()}
	for _, m := range f.c.panel.Status() {
		now.verifliers++
		if m.State != panel.OK {
			now.voteless++
		}
	}
	for _, one := range f.figures {
		ch <- prometheus.MustNewConstMetric(one.desc, one.kind, one.read(now))
	}
	for reason, n := range bounded(now.engine.UncheckableBy) {
		ch <- prometheus.MustNewConstMetric(f.reasons, prometheus.GaugeValue, float64(n), reason)
	}
}

// maxReasons bounds the series of one metric: reasons come from checkers, of any version.
const maxReasons = 32

// bounded adds up what is beyond the first reasons by name, as "other".
func bounded(by map[string]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(by))
	for i, reason := range slices.Sorted(maps.Keys(by)) {
		if i >= maxReasons-1 {
			out["other"] += by[reason]
			continue
		}
		out[reason] += by[reason]
	}
	return out
}
