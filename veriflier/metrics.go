package veriflier

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/obs"
)

// metrics are the metrics of one veriflier. They never have a label per site.
type metrics struct {
	checks                    obs.Outcomes
	joined, refused, canceled prometheus.Counter
	secondOpinions, disagreed prometheus.Counter
	inFlight                  prometheus.Gauge
	seconds                   prometheus.Observer
}

func newMetrics(r prometheus.Registerer, name string) *metrics {
	part := obs.Part{Registerer: r, Label: "veriflier", Value: name}
	checks := part.Counters("jetmon_veriflier_checks_total",
		"Checks that a veriflier was asked for, by how they ended: up, down, unknown; joined (the id was known), refused (too many at once), canceled (nobody waited any more, or draining).", "result")
	return &metrics{
		checks:   obs.NewOutcomes(checks),
		joined:   checks("joined"),
		refused:  checks("refused"),
		canceled: checks("canceled"),
		secondOpinions: part.Counter("jetmon_veriflier_second_opinions_total",
			"Failures that rest on how the answer is read, and that an independent reader was asked about."),
		disagreed: part.Counter("jetmon_veriflier_readers_disagree_total",
			"Second opinions that saw a good page where the engine saw a failure: the vote was UNKNOWN."),
		inFlight: part.Gauge("jetmon_veriflier_in_flight", "Checks of a veriflier that run now."),
		seconds: part.Histogram("jetmon_veriflier_check_seconds", "How long the checks of a veriflier took.",
			.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60),
	}
}
