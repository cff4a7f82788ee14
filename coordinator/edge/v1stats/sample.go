package v1stats

import (
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/internal/check"
)

// sample is what a coordinator did in an interval, in v1's terms.
type sample struct {
	took    time.Duration
	counts  *tally.Counts
	sites   uint64
	waiting uint64 // checks
	active  uint64 // checks
	// Checkers by what they do, and those that came and went.
	free, working, halting, joined, left int
}

// sampled makes a sample of an engine's results and summary. before has the checkers of the
// last sample, by name.
func sampled(took time.Duration, counts *tally.Counts, sum engine.Summary, before []string) (s sample, now []string) {
	s = sample{took: took, counts: counts, sites: sum.Sites, waiting: uint64(sum.Queued + sum.Parked)}
	s.active = uint64(max(0, sum.Open-sum.Queued-sum.Parked))
	for _, c := range sum.Checkers {
		now = append(now, c.Node)
		switch {
		case !c.Quarantined.IsZero():
			s.halting++
		case c.Open > 0:
			s.working++
		default:
			s.free++
		}
		if !slices.Contains(before, c.Node) {
			s.joined++
		}
	}
	for _, node := range before {
		if !slices.Contains(now, node) {
			s.left++
		}
	}
	return s, now
}

// perSecond is how many checks a second gave results.
func (s *sample) perSecond() float64 {
	if s.took <= 0 {
		return 0
	}
	return float64(s.total()) / s.took.Seconds()
}

func (s *sample) total() (n uint64) {
	for class := range tally.Classes {
		n += s.counts.Total(class)
	}
	return n
}

// metric is one line of StatsD.
type metric struct {
	name   string
	value  int64
	timing bool
}

// metrics lists what is sent of a sample; resident, if not 0, are the bytes of the process.
func (s *sample) metrics(resident int64) []metric {
	var out []metric
	count := func(name string, n int64) { out = append(out, metric{name: name, value: n}) }
	count("round.sites.count", int64(s.sites))
	count("round.sps.count", int64(s.perSecond()+0.5))
	count("worker.queue.active", int64(s.active))
	count("worker.queue.queue_size", int64(s.waiting))
	count("stats.sites.sps.count", int64(s.perSecond()+0.5))
	count("stats.sites.error.count", int64(s.counts.Total(tally.Down)))
	count("stats.sites.offline.count", int64(s.counts.Total(tally.StillDown)))
	count("stats.sites.success.count", int64(s.counts.Total(tally.Up)))
	count("stats.sites.total.count", int64(s.total()))
	count("stats.sites.queue.count", int64(s.waiting))
	count("stats.workers.free.count", int64(s.free))
	count("stats.workers.working.count", int64(s.working))
	count("stats.workers.halting.count", int64(s.halting))
	if s.joined > 0 {
		count("worker.spawn.new.count", int64(s.joined))
	}
	if s.left > 0 {
		count("worker.delete.count", int64(s.left))
	}
	for class := range tally.Classes {
		out = append(out, s.checks(class)...)
	}
	if resident > 0 {
		out = append(out, metric{"stats.parent.memory", resident, true})
	}
	return out
}

// className is v1's name of a class.
func className(c tally.Class) string {
	switch c {
	case tally.Up:
		return "up"
	case tally.Down:
		return "down"
	case tally.StillDown:
		return "still_down"
	default:
		return "unknown"
	}
}

// checks lists the metrics of a class of results.
func (s *sample) checks(class tally.Class) (out []metric) {
	if s.counts.Total(class) == 0 {
		return nil
	}
	prefix := "worker.check." + className(class)
	byCode, byError := map[int]uint64{}, map[int]uint64{}
	for status, n := range s.counts.Up {
		if class == tally.Up && n > 0 {
			byCode[status] += n
		}
	}
	for k, n := range s.counts.Other[class] {
		o := check.Observation{Outcome: check.OutcomeDown, HTTPStatus: k.HTTPStatus, Failure: k.Failure, Reason: k.Reason, Phase: k.Phase}
		if k.Redirected {
			o.Hops = []check.Hop{{}}
		}
		code, errorCode := wpcom.Codes(&o)
		byCode[code] += n
		if errorCode != 0 {
			byError[errorCode] += n
		}
	}
	for kind, counts := range map[string]map[int]uint64{"code": byCode, "error_code": byError} {
		for code, n := range counts {
			out = append(out, metric{name: fmt.Sprintf("%s.%s.%d.count", prefix, kind, code), value: int64(n)})
		}
	}
	rtt := s.counts.RTT[class]
	for what, took := range map[string]time.Duration{"avg": rtt.Mean(), "max": rtt.Longest, "min": rtt.Least} {
		out = append(out, metric{prefix + ".rtt." + what, took.Round(time.Millisecond).Milliseconds(), true})
	}
	slices.SortFunc(out, func(a, b metric) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return out
}
