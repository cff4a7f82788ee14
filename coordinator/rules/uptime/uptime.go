// Package uptime works out how sites were.
//
// A Calendar has the days of a site as WordPress.com sees it, all monitored URLs of a blog or
// host: how long in each day it was down, and whether it was watched at all. It is down while
// one of its URLs is, and watched while one of them is.
//
// Stats are of one URL over any period: uptime that can be defended. Downtime is what was
// confirmed and seen; while nobody looked, nothing is held against a site. Lay puts what is
// known elsewhere, pauses and the time since a URL is watched, over its turns, and gives the
// gaps and the counts, of which Coverage is the share that was looked at.
//
// Days are those of UTC. The package is pure: time arrives as a value. It must not know where
// outages come from.
package uptime

import (
	"slices"
	"time"
)

// day is the length of a day in UTC, which has no summer time.
const day = 24 * time.Hour

// Span is a stretch of time from Start up to End, without that moment.
type Span struct{ Start, End time.Time }

// Outage is a stretch during which a URL was down, as it was recorded.
type Outage struct {
	// End is zero while it is open.
	Start, End time.Time
	// Confirmed is when the verifliers agreed; zero when that is not known.
	Confirmed time.Time
	// Suspended is since when the URL is paused while the outage is open; else zero.
	Suspended time.Time
	// PausedFor is how much of the stretch the URL was paused. As far as URL.Paused does not
	// say when that was, it counts as having been at the end.
	PausedFor time.Duration
	// Maintenance is when the URL was in maintenance, which is no downtime.
	Maintenance []Span
}

// URL is what is known of one monitored URL.
type URL struct {
	// Since is when it began to be monitored; zero when that was before the window, as far as is
	// known.
	Since time.Time
	// Paused are the stretches in which it was not checked, in any order.
	Paused  []Span
	Outages []Outage
}

// Day is how one day was.
type Day struct {
	// Date is its midnight, with which it begins.
	Date time.Time
	// Watched means that the site was checked, if only for a moment.
	Watched bool
	// Down is how much of the day the site was down.
	Down time.Duration
}

// Minutes returns how many minutes of the day the site was down, a part of one counted whole:
// a day with downtime has at least one.
func (d Day) Minutes() uint32 { return uint32((d.Down + time.Minute - 1) / time.Minute) }

// Calendar adds up the URLs of a site over the last days. New makes one. It holds no more than
// the stretches of downtime in its window, merged. It is not safe for concurrent use.
type Calendar struct {
	from, now time.Time
	watched   []bool
	down      []Span
	// merged is how many spans were left when down was merged last.
	merged int
}

// slack is by how much spans may be more than twice those that are left when they are merged.
const slack = 1000

// New makes the calendar of the days up to now, which is in the last of them.
func New(now time.Time, days int) *Calendar {
	now = now.UTC()
	return &Calendar{from: now.Truncate(day).Add(-time.Duration(days-1) * day), now: now, watched: make([]bool, days)}
}

// From returns the beginning of the window: what ended before is of no use to Add.
func (c *Calendar) From() time.Time { return c.from }

// Add counts a URL of which nothing is known but its outages and when it was to be checked.
func (c *Calendar) Add(u URL) { c.AddSeen(u, nil, 0) }

// AddSeen counts a URL. Gaps are the stretches in which nobody looked, or could tell, in any
// order, each from its first turn up to the turn after its last one: it was not down then, as far
// as anybody knows. It was watched at the turns outside of them, of which there is one in an
// interval.
func (c *Calendar) AddSeen(u URL, gaps []Span, interval time.Duration) {
	blind := merge(slices.Clone(gaps))
	unseen := slices.Clone(u.Paused)
	for _, g := range blind {
		unseen = append(unseen, Span{g.Start.Add(-max(interval, 1) + 1), g.End})
	}
	for _, s := range without(Span{u.Since, c.now}, unseen) {
		c.watch(s)
	}
	for _, o := range u.Outages {
		for _, s := range c.downtime(u, o, blind, interval) {
			if s = c.clip(s); s.Start.Before(s.End) {
				c.watch(s)
				c.down = append(c.down, s)
			}
		}
	}
	if len(c.down) > 2*c.merged+slack {
		c.down = merge(c.down)
		c.merged = len(c.down)
	}
}

// downtime returns the stretches of an outage in which its URL was checked and down.
func (c *Calendar) downtime(u URL, o Outage, blind []Span, interval time.Duration) []Span {
	seen, _ := u.observed(o, c.now, blind, lateness(interval))
	return outside(seen, o.Maintenance)
}

// clip returns what of a span is in the window; a span that ends before it begins is nothing.
func (c *Calendar) clip(s Span) Span {
	return Span{Latest(s.Start, c.from), Earliest(s.End, c.now)}
}

// watch notes that the site was checked during a span.
func (c *Calendar) watch(s Span) {
	if s = c.clip(s); !s.Start.Before(s.End) {
		return
	}
	last := int(s.End.Add(-1).Sub(c.from) / day)
	for i := int(s.Start.Sub(c.from) / day); i <= last; i++ {
		c.watched[i] = true
	}
}

// Days returns the days, the oldest first.
func (c *Calendar) Days() []Day {
	days := make([]Day, len(c.watched))
	for i := range days {
		days[i] = Day{Date: c.from.Add(time.Duration(i) * day), Watched: c.watched[i]}
	}
	c.down = merge(c.down)
	c.merged = len(c.down)
	for _, s := range c.down {
		for i := int(s.Start.Sub(c.from) / day); i < len(days) && days[i].Date.Before(s.End); i++ {
			days[i].Down += Earliest(s.End, days[i].Date.Add(day)).Sub(Latest(s.Start, days[i].Date))
		}
	}
	return days
}

// without returns what is left of a span without others, in order.
func without(s Span, others []Span) (left []Span) { return cut(nil, s, merge(slices.Clone(others))) }

// cut appends what is left of a span without others, which are in order and apart, to left.
func cut(left []Span, s Span, others []Span) []Span {
	for _, o := range others[firstAfter(others, s.Start):] {
		if !o.Start.Before(s.End) {
			break
		}
		if s.Start.Before(o.Start) {
			left = append(left, Span{s.Start, o.Start})
		}
		s.Start = o.End
	}
	if s.Start.Before(s.End) {
		left = append(left, s)
	}
	return left
}

// merge sorts spans and joins those that touch, in place.
func merge(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	joined := spans[:0]
	for _, s := range spans {
		switch last := len(joined) - 1; {
		case !s.Start.Before(s.End):
		case last >= 0 && !s.Start.After(joined[last].End):
			joined[last].End = Latest(s.End, joined[last].End)
		default:
			joined = append(joined, s)
		}
	}
	return joined
}

func total(spans []Span) (sum time.Duration) {
	for _, s := range spans {
		sum += s.End.Sub(s.Start)
	}
	return sum
}

// Earliest returns the earlier one of two times.
func Earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Latest returns the later one of two times.
func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
