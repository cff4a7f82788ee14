package uptime

import (
	"slices"
	"time"
)

// Stats is how a URL was over a period. Each moment of Watched is one of five: up, down, in
// maintenance, unobserved, or in a gap while no outage was open; the last counts as up.
type Stats struct {
	// Period is the period as far as it is not the future.
	Period Span
	// Watched is the time in which the URL was to be checked: since it is watched, without
	// pauses. Paused is the rest of that since.
	Watched, Paused time.Duration
	// Down is the time in confirmed outages, from the first failing check to the end, in which
	// we looked, and which was not planned.
	Down time.Duration
	// Maintenance is such time during planned maintenance.
	Maintenance time.Duration
	// Unobserved is the time in which an outage was open, and nobody looked, or could tell.
	Unobserved time.Duration
	// Outages counts the outages with downtime in the period, Ended those of them that ended in
	// it. Repair is the downtime in it of those that ended, Longest the most of one outage.
	Outages, Ended  int
	Repair, Longest time.Duration
}

// Uptime returns the share of the time that counts in which the URL was not down, 0..1. It is
// false when no time counts. Gaps count, as up: so that no failure of ours lowers it.
func (s Stats) Uptime() (share float64, ok bool) {
	counts := s.Watched - s.Maintenance
	if counts <= 0 {
		return 0, false
	}
	return 1 - float64(min(s.Down, counts))/float64(counts), true
}

// MeanRepair returns the mean downtime of the outages that ended; 0 for none.
func (s Stats) MeanRepair() time.Duration {
	if s.Ended == 0 {
		return 0
	}
	return s.Repair / time.Duration(s.Ended)
}

// MeanBetween returns the mean time up for each outage; 0 for none.
func (s Stats) MeanBetween() time.Duration {
	if s.Outages == 0 {
		return 0
	}
	return max(0, s.Watched-s.Maintenance-s.Unobserved-s.Down) / time.Duration(s.Outages)
}

// Over adds up a period of a URL, up to now. Gaps are the stretches in which nobody looked, or
// could tell, in any order. Who asks for many periods makes a Record.
func (u URL) Over(site Site, period Span, now time.Time, gaps []Span) Stats {
	return u.Record(site, now, gaps).Over(period)
}

// count counts an outage that has some downtime in the period.
func (s *Stats) count(o Outage, period Span, down time.Duration) {
	if down == 0 {
		return
	}
	s.Outages++
	s.Longest = max(s.Longest, down)
	if !o.End.IsZero() && !o.End.After(period.End) {
		s.Ended++
		s.Repair += down
	}
}

// lateness returns how long after its turn a check may have seen what it saw. So long a gap
// goes on after its last turn: what was seen then may have begun then.
func lateness(interval time.Duration) time.Duration { return min(time.Minute, interval/2) }

// observed returns the stretches of an outage in which its URL was seen failing, and those in
// which nobody looked; blind are the gaps, in order and apart. What was seen before a gap that
// the confirmation came after does not count: the site may have been good in between.
func (u URL) observed(o Outage, now time.Time, blind []Span, late time.Duration) (seen, hidden []Span) {
	whole := Span{o.Start, o.end(now)}
	out := slices.Clone(u.Paused)
	for _, g := range blind[firstAfter(blind, whole.Start.Add(-late)):] {
		if !g.Start.Before(whole.End) {
			break
		}
		before := g.End.After(whole.Start) && !g.End.After(o.Confirmed)
		g.End = g.End.Add(late)
		hidden = append(hidden, outside(within([]Span{g}, whole), u.Paused)...)
		out = append(out, g)
		if before {
			o.Start = Latest(o.Start, g.End)
		}
	}
	return o.failing(now, out), hidden
}

// end returns when an outage ended, was suspended, or else now.
func (o Outage) end(now time.Time) time.Time {
	switch {
	case !o.End.IsZero():
		return o.End
	case !o.Suspended.IsZero():
		return o.Suspended
	}
	return now
}

// failing returns the stretches of an outage without some others. As far as they are less than
// PausedFor, the rest of that is cut off the end.
func (o Outage) failing(now time.Time, others []Span) []Span {
	end := o.end(now)
	parts := without(Span{o.Start, end}, others)
	unknown := o.PausedFor - (end.Sub(o.Start) - total(parts))
	for i := len(parts) - 1; i >= 0 && unknown > 0; i-- {
		cut := min(unknown, parts[i].End.Sub(parts[i].Start))
		parts[i].End = parts[i].End.Add(-cut)
		unknown -= cut
	}
	return parts
}

// sum adds up spans within a window; it holds no more than twice those that are left merged.
type sum struct {
	window Span
	all    []Span
	merged int
}

func newSum(window Span) *sum { return &sum{window: window} }

func (s *sum) add(spans []Span) {
	s.all = append(s.all, within(spans, s.window)...)
	if len(s.all) > 2*s.merged+slack {
		s.spans()
	}
}

// spans returns the sum, in order.
func (s *sum) spans() []Span {
	s.all = merge(s.all)
	s.merged = len(s.all)
	return s.all
}

// within returns the parts of spans that are in a window.
func within(spans []Span, window Span) (parts []Span) {
	for _, s := range spans {
		if s = (Span{Latest(s.Start, window.Start), Earliest(s.End, window.End)}); s.Start.Before(s.End) {
			parts = append(parts, s)
		}
	}
	return parts
}

// outside returns the parts of spans that are in no other.
func outside(spans, others []Span) (parts []Span) {
	if len(spans) == 0 || len(others) == 0 {
		return spans
	}
	others = merge(slices.Clone(others))
	for _, s := range spans {
		parts = cut(parts, s, others)
	}
	return parts
}

// inside returns the parts of spans that are in others; both are in order and apart.
func inside(spans, others []Span) (parts []Span) {
	for _, o := range others {
		parts = append(parts, clip(spans, o)...)
	}
	return parts
}
