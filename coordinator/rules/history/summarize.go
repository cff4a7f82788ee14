package history

import (
	"iter"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Sites goes through the strips of each site.
func (s *Sheet) Sites() iter.Seq2[check.SiteID, []Strip] {
	return bySite(s.Strips, stripSite)
}

// Parts goes through the sheets of each part, of a sheet of a bucket. They share its memory.
func (s *Sheet) Parts() iter.Seq2[Part, *Sheet] {
	return func(yield func(Part, *Sheet) bool) {
		for part, strips := range bySite(s.Strips, func(x *Strip) Part { return PartOf(x.Site) }) {
			if !yield(part, &Sheet{Regions: s.Regions, Strips: strips}) {
				return
			}
		}
	}
}

// bySite goes through the runs of what has a key in common.
func bySite[T any, K comparable](all []T, key func(*T) K) iter.Seq2[K, []T] {
	return func(yield func(K, []T) bool) {
		for len(all) > 0 {
			n := run(all, key)
			if !yield(key(&all[0]), all[:n:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// run returns how many at the front of a list have a key in common.
func run[T any, K comparable](all []T, key func(*T) K) (n int) {
	for n < len(all) && key(&all[n]) == key(&all[0]) {
		n++
	}
	return n
}

// Summarize sums up the turns of one site from the start of an hour up to that of a later one;
// the strips are those of a Sheet, and lie within. It says of each strip how many turns its
// interval has since the start of its hour, or since the strip before if that is later, up to
// those of the next: where no check was made, a turn is None. The first interval counts from
// the start of the first hour on, the last one up to the end. So the summaries of successive
// hours come to that of all, see Add. A site without a strip has no summary.
func Summarize(first, end Hour, strips []Strip) []Summary {
	out := make([]Summary, 0, len(strips))
	from := first.Start()
	for i := range strips {
		x := &strips[i]
		last := x.Start(len(x.Codes) - 1).Add(1)
		to := end.Start()
		if i+1 < len(strips) {
			to = HourOf(strips[i+1].Start(0)).Start()
		}
		if to.Before(last) {
			to = last
		}
		c := counter{Summary: blank(x.Site, x.Interval, from, to), low: timesEnd}
		// Two intervals may have a turn at the same moment.
		if x.First < c.First {
			c.First, c.Turns = x.First, c.Turns+int(c.First-x.First)
		}
		c.lose(c.First, int(x.First-c.First))
		for j, code := range x.Codes {
			c.add(x.First+int64(j), code)
		}
		after := x.First + int64(len(x.Codes))
		c.lose(after, int(c.First+int64(c.Turns)-after))
		out = append(out, c.summary())
		from = to
	}
	return out
}

// Whole returns the turns of one site from the start of an hour up to that of a later one, all
// those that Summarize counts: where no check was made there is a None. So strips without one
// stay without one, since nobody knows the interval.
func Whole(first, end Hour, strips []Strip) []Strip {
	var known, whole []Strip
	for i := range strips {
		if x := strips[i].within(first.Start(), end.Start()); len(x.Codes) > 0 {
			known = append(known, x)
		}
	}
	for i, sum := range Summarize(first, end, known) {
		x := &known[i]
		from := int(x.First - sum.First)
		full := Strip{Site: x.Site, Interval: x.Interval, First: sum.First, Codes: make([]Code, sum.Turns)}
		copy(full.Codes[from:], x.Codes)
		if x.Regions != nil {
			full.Regions = make([]uint8, sum.Turns)
			copy(full.Regions[from:], x.Regions)
		}
		whole = append(whole, full)
	}
	return whole
}

// blank returns the turns of an interval from a moment up to another one.
func blank(site check.SiteID, interval time.Duration, from, to time.Time) Summary {
	s := Summary{Site: site, Interval: interval, First: schedule.TurnBefore(site, interval, from.Add(-1)) + 1}
	s.Turns = int(schedule.TurnBefore(site, interval, to.Add(-1)) + 1 - s.First)
	return s
}

// counter counts codes.
type counter struct {
	Summary
	codes [timesEnd]uint32
	// Those that were counted and are times lie from low up to end.
	low, end int
}

// timesEnd is more than the code of any time.
const timesEnd = 256

// add counts a turn.
func (c *counter) add(turn int64, code Code) {
	c.codes[code]++
	if code.IsTime() {
		c.low, c.end = min(c.low, int(code)), max(c.end, int(code)+1)
		return
	}
	if code.knows() < knowsMost {
		c.Gaps = appendGap(c.Gaps, Gap{turn, 1})
	}
}

// lose counts turns without a check.
func (c *counter) lose(turn int64, n int) {
	if n > 0 {
		c.codes[None] += uint32(n)
		c.Gaps = appendGap(c.Gaps, Gap{turn, n})
	}
}

func (c *counter) summary() Summary {
	c.Counts = make([]Count, 0, 8)
	for _, of := range [...][2]int{{0, int(fastest)}, {c.low, c.end}} {
		for code := of[0]; code < of[1]; code++ {
			if n := c.codes[code]; n > 0 {
				c.Counts = append(c.Counts, Count{Code(code), n})
			}
		}
	}
	return c.Summary
}

// appendGap adds a gap to those before it; one that follows at once makes the last one longer.
func appendGap(gaps []Gap, g Gap) []Gap {
	if n := len(gaps); n > 0 && gaps[n-1].First+int64(gaps[n-1].Turns) == g.First {
		gaps[n-1].Turns += g.Turns
		return gaps
	}
	return append(gaps, g)
}

// Add brings summaries on to the start of an hour, at most the end of their day, by what a sheet
// has of the turns since Until. It returns what these came to. With an Until of the first hour
// of a day and no sites, Add begins a day.
func (s *Summaries) Add(end Hour, sheet *Sheet) (added Tally) {
	was, since := s.Sites, sheet.Strips
	s.Sites = make([]Summary, 0, max(len(was), len(since)))
	for len(was) > 0 || len(since) > 0 {
		n, strips := 0, 0
		if len(since) == 0 || len(was) > 0 && was[0].Site <= since[0].Site {
			n = run(was, summarySite)
		}
		if len(was) == 0 || len(since) > 0 && since[0].Site <= was[0].Site {
			strips = run(since, stripSite)
		}
		s.add(was[:n], since[:strips], end, &added)
		was, since = was[n:], since[strips:]
	}
	s.Until = end
	return added
}

func stripSite(s *Strip) check.SiteID     { return s.Site }
func summarySite(s *Summary) check.SiteID { return s.Site }

// add adds a site to those of a Summaries: what is known of it, and the strips since Until.
func (s *Summaries) add(was []Summary, since []Strip, end Hour, added *Tally) {
	from := len(s.Sites)
	s.Sites = append(s.Sites, was...)
	begin, _ := s.Until.Day().Hours()
	if len(was) > 0 {
		begin = end
		if len(since) > 0 {
			begin = HourOf(since[0].Start(0))
		}
		s.lose(begin, added)
	}
	for i, x := range Summarize(begin, end, since) {
		added.Add(&x)
		if last := len(s.Sites) - 1; i == 0 && last >= from && s.Sites[last].Interval == x.Interval {
			s.Sites[last].join(&x)
			continue
		}
		if len(was) > 0 {
			x.Week = was[0].Week
		}
		s.Sites = append(s.Sites, x)
	}
}

// lose adds turns without a check to the last site's, from Until up to the start of an hour.
func (s *Summaries) lose(end Hour, added *Tally) {
	if end <= s.Until {
		return
	}
	last := &s.Sites[len(s.Sites)-1]
	none := blank(last.Site, last.Interval, s.Until.Start(), end.Start())
	if none.Turns == 0 {
		return
	}
	none.Counts, none.Gaps = []Count{{None, uint32(none.Turns)}}, []Gap{{none.First, none.Turns}}
	added.Add(&none)
	last.join(&none)
}

// join adds the turns that follow, of the same interval.
func (s *Summary) join(x *Summary) {
	s.Turns += x.Turns
	for _, g := range x.Gaps {
		s.Gaps = appendGap(s.Gaps, g)
	}
	if len(x.Counts) == 0 {
		return
	}
	counts := make([]Count, 0, len(s.Counts)+len(x.Counts))
	a, b := s.Counts, x.Counts
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Code < b[0].Code:
			counts, a = append(counts, a[0]), a[1:]
		case b[0].Code < a[0].Code:
			counts, b = append(counts, b[0]), b[1:]
		default:
			counts, a, b = append(counts, Count{a[0].Code, a[0].N + b[0].N}), a[1:], b[1:]
		}
	}
	s.Counts = append(append(counts, a...), b...)
}
