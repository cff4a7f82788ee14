package uptime

import (
	"slices"
	"sort"
	"time"
)

// Record is what was seen of a URL up to now, ready to be added up over many periods. URL.Record
// makes one.
type Record struct {
	now time.Time
	// known is the time since the URL is watched, watched that without pauses. All lists are in
	// order and apart.
	known, paused, watched []Span
	outages                []sighting
}

// sighting is what was seen of an outage.
type sighting struct {
	Outage
	// down was seen and not planned, planned was both, hidden not seen.
	down, planned, hidden []Span
}

// Record puts gaps, the stretches in which nobody looked, or could tell, over the outages of a URL.
// They may be in any order.
func (u URL) Record(site Site, now time.Time, gaps []Span) *Record {
	blind := merge(slices.Clone(gaps))
	r := &Record{now: now, known: without(Span{u.Since, now}, nil), paused: merge(slices.Clone(u.Paused))}
	r.watched = without(Span{u.Since, now}, r.paused)
	for _, o := range u.Outages {
		seen, hidden := u.observed(o, now, blind, lateness(site.Interval))
		planned := merge(slices.Clone(o.Maintenance))
		r.outages = append(r.outages, sighting{o, outside(seen, planned), inside(seen, planned), hidden})
	}
	return r
}

// Over adds up a period, up to now.
func (r *Record) Over(period Span) Stats {
	period.End = Earliest(period.End, r.now)
	s := Stats{Period: period}
	if !period.Start.Before(period.End) {
		return s
	}
	watched := clip(r.watched, period)
	s.Paused = total(clip(r.known, period)) - total(watched)

	down, maintenance, unobserved := newSum(period), newSum(period), newSum(period)
	for i := range r.outages {
		o := &r.outages[i]
		if !o.Start.Before(period.End) || !o.end(r.now).After(period.Start) {
			continue
		}
		seen := clip(o.down, period)
		s.count(o.Outage, period, total(seen))
		down.add(seen)
		maintenance.add(clip(o.planned, period))
		unobserved.add(clip(o.hidden, period))
	}
	s.Down = total(down.spans())
	s.Maintenance = total(outside(maintenance.spans(), down.spans()))
	s.Unobserved = total(outside(outside(unobserved.spans(), down.spans()), maintenance.spans()))
	// A URL was watched while it was down, whatever is on record.
	watched = append(append(append(watched, down.spans()...), maintenance.spans()...), outside(unobserved.spans(), r.paused)...)
	s.Watched = total(merge(watched))
	return s
}

// clip is within of spans that are in order and apart, of which it looks at no others.
func clip(spans []Span, window Span) []Span {
	spans = spans[firstAfter(spans, window.Start):]
	n := sort.Search(len(spans), func(i int) bool { return !spans[i].Start.Before(window.End) })
	return within(spans[:n], window)
}

// firstAfter returns the number of the first span that ends after a moment, of those that are in
// order and apart.
func firstAfter(spans []Span, at time.Time) int {
	return sort.Search(len(spans), func(i int) bool { return spans[i].End.After(at) })
}
