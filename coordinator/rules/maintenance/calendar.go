package maintenance

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// ahead and behind are how far from the moment of a Calendar At knows the windows.
	ahead  = 2 * time.Hour
	behind = time.Hour
	// Fresh is how long a Calendar may be used for questions about the present.
	Fresh = time.Hour
	// maxSpans bounds the spans of one maintenance that Spans adds up.
	maxSpans = 1000
)

// Subject is a site about which a Calendar is asked.
type Subject struct {
	ID   check.SiteID
	URL  string
	Tags []string
}

// Calendar knows the maintenances of all sites. NewCalendar makes one; it does not change, and
// is safe for concurrent use.
type Calendar struct {
	// Made is the moment around which At knows the windows.
	Made  time.Time
	sites map[check.SiteID][]*entry
	tags  map[string][]*entry
	// hosts are by name; where a port matters, it is compared.
	hosts map[string][]*entry
	// known are all entries.
	known map[*Plan]*entry
}

// entry is a plan with its windows around the moment of the calendar.
type entry struct {
	*Plan
	near []Window
}

// NewCalendar makes the calendar of a moment.
func NewCalendar(now time.Time, plans []*Plan) *Calendar {
	return (&Calendar{Made: now}).With(plans)
}

// With makes the calendar of the same moment with other plans. It works out the windows of those
// that are new.
func (c *Calendar) With(plans []*Plan) *Calendar {
	old := c.known
	c = &Calendar{
		Made: c.Made, sites: map[check.SiteID][]*entry{}, tags: map[string][]*entry{}, hosts: map[string][]*entry{},
		known: make(map[*Plan]*entry, len(plans)),
	}
	for _, p := range plans {
		e := old[p]
		if e == nil {
			e = &entry{Plan: p, near: p.Windows(c.Made.Add(-behind), c.Made.Add(ahead), maxSpans)}
		}
		c.known[p] = e
		switch t := p.Covers; {
		case t.SiteID != 0:
			c.sites[t.SiteID] = append(c.sites[t.SiteID], e)
		case t.Tag != "":
			c.tags[t.Tag] = append(c.tags[t.Tag], e)
		default:
			c.hosts[t.Host.Host] = append(c.hosts[t.Host.Host], e)
		}
	}
	return c
}

// Empty reports whether nothing is planned.
func (c *Calendar) Empty() bool { return len(c.sites)+len(c.tags)+len(c.hosts) == 0 }

// NeedsTags reports whether a site's tags matter.
func (c *Calendar) NeedsTags() bool { return len(c.tags) > 0 }

// of returns the maintenances of a site.
func (c *Calendar) of(s Subject) []*entry {
	found := slices.Clip(c.sites[s.ID])
	if len(c.tags) > 0 {
		for _, tag := range s.Tags {
			found = append(found, c.tags[tag]...)
		}
	}
	if len(c.hosts) > 0 {
		at := record.Locate(s.URL)
		for _, e := range c.hosts[at.Host] {
			if at.Fits(e.Covers.Host) {
				found = append(found, e)
			}
		}
	}
	return found
}

// At returns the window in which a site is at a moment: of several, the one that ends last. It is
// quick for moments near that of the calendar.
func (c *Calendar) At(s Subject, at time.Time) (open Window, ok bool) {
	isNear := at.After(c.Made.Add(-behind)) && at.Before(c.Made.Add(ahead))
	for _, e := range c.of(s) {
		windows := e.near
		if !isNear {
			windows = e.Windows(at, at.Add(1), maxSpans)
		}
		for _, w := range windows {
			if w.Has(at) && w.End.After(open.End) {
				open, ok = w, true
			}
		}
	}
	return open, ok
}

// Spans returns the stretches between two moments in which a site was in maintenance, in order,
// those that touch as one.
func (c *Calendar) Spans(s Subject, from, to time.Time) []uptime.Span {
	var all []uptime.Span
	for _, e := range c.of(s) {
		for _, w := range e.Windows(from, to, maxSpans) {
			all = append(all, uptime.Span{Start: uptime.Latest(w.Start, from), End: uptime.Earliest(w.End, to)})
		}
	}
	slices.SortFunc(all, func(a, b uptime.Span) int { return a.Start.Compare(b.Start) })
	merged := all[:0]
	for _, one := range all {
		if n := len(merged); n > 0 && !one.Start.After(merged[n-1].End) {
			merged[n-1].End = uptime.Latest(merged[n-1].End, one.End)
			continue
		}
		merged = append(merged, one)
	}
	return merged[:min(len(merged), maxSpans)]
}
