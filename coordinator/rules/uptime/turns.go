package uptime

import (
	"iter"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Site is what the turns of a URL depend on.
type Site struct {
	ID check.SiteID
	// Interval is the one of now; turns of which a row is kept have their own.
	Interval time.Duration
}

// Turns says what became of the turns of a URL over a period.
type Turns struct {
	// Tally has how often each code came. Paused are the turns in pauses of which nothing is
	// known; those before the URL was watched are left out.
	Tally history.Tally
	// Gaps are the stretches whose turns tell nothing, each up to the turn after it; by time.
	// They may lie in pauses.
	Gaps []Span
}

// Coverage returns the share of the turns in which a check was made, of those that were asked
// for, 0..1. It is false when none was. The share of None is the rest.
func (t *Turns) Coverage() (share float64, ok bool) {
	asked := uint64(0)
	for code, n := range t.Tally {
		if history.Code(code) != history.Paused {
			asked += n
		}
	}
	if asked == 0 {
		return 0, false
	}
	return 1 - float64(t.Tally[history.None])/float64(asked), true
}

// Add adds the turns of another period, which begins where this one ends.
func (t *Turns) Add(other *Turns) {
	for code, n := range other.Tally {
		t.Tally[code] += n
	}
	t.Gaps = merge(append(t.Gaps, other.Gaps...))
}

// Lay puts what is known elsewhere over the rows that are kept of a URL's turns, by rising turn.
// Whatever turn of the period has no row is one of which nobody knows. Rows count whole, also
// where they reach beyond the period.
func (u URL) Lay(s Site, rows []history.Summary, period Span) Turns {
	l := layer{site: s.ID, since: u.Since, paused: merge(slices.Clone(u.Paused))}
	at, interval := period.Start, s.Interval
	for i := range rows {
		row := &rows[i]
		interval = row.Interval
		l.hole(Span{at, l.time(interval, row.First)}, interval)
		l.row(row)
		at = Latest(at, l.time(interval, row.First+int64(row.Turns)))
	}
	l.hole(Span{at, period.End}, interval)
	l.turns.Gaps = merge(l.turns.Gaps)
	return l.turns
}

// layer adds up the turns of a site.
type layer struct {
	site   check.SiteID
	since  time.Time
	paused []Span
	turns  Turns
}

func (l *layer) time(interval time.Duration, turn int64) time.Time {
	return schedule.TurnTime(l.site, interval, turn)
}

// from returns the first turn that is not before a time.
func (l *layer) from(interval time.Duration, at time.Time) int64 {
	return schedule.TurnBefore(l.site, interval, at.Add(-1)) + 1
}

// hole counts the turns of a stretch of which there is no row.
func (l *layer) hole(s Span, interval time.Duration) {
	if !s.Start.Before(s.End) {
		return
	}
	first := l.from(interval, s.Start)
	n := l.from(interval, s.End) - first
	if n <= 0 {
		return
	}
	l.turns.Tally[history.None] += uint64(n)
	l.gap(history.Gap{First: first, Turns: int(n)}, interval)
}

func (l *layer) row(row *history.Summary) {
	for _, c := range row.Counts {
		l.turns.Tally[c.Code] += uint64(c.N)
	}
	for _, g := range row.Gaps {
		l.gap(g, row.Interval)
	}
}

// gap notes a gap, and takes the turns out of None that nobody asked for.
func (l *layer) gap(g history.Gap, interval time.Duration) {
	end := g.First + int64(g.Turns)
	if !l.since.IsZero() {
		if first := min(end, l.from(interval, l.since)); first > g.First {
			l.take(uint64(first-g.First), history.None)
			if g.First = first; first == end {
				return
			}
		}
	}
	l.turns.Gaps = append(l.turns.Gaps, Span{l.time(interval, g.First), l.time(interval, end)})
	for _, p := range l.paused {
		if !p.End.After(l.time(interval, g.First)) {
			continue
		}
		first, last := g.First, end
		if p.Start.After(l.time(interval, first)) {
			first = l.from(interval, p.Start)
		}
		if p.End.Before(l.time(interval, end)) {
			last = l.from(interval, p.End)
		}
		if first >= end {
			break
		}
		if last > first {
			l.take(uint64(last-first), history.Paused)
		}
	}
}

// take makes turns of a gap, of which nothing is known but where it is, ones of another code;
// None means that they do not count at all.
func (l *layer) take(n uint64, as history.Code) {
	for _, code := range []history.Code{history.None, history.Unknown} {
		some := min(n, l.turns.Tally[code])
		l.turns.Tally[code] -= some
		if n -= some; as != history.None {
			l.turns.Tally[as] += some
		}
	}
}

// Rows sums up the turns of strips that are in a period.
func Rows(strips []history.Strip, period Span) []history.Summary {
	var rows []history.Summary
	for i := range strips {
		s := &strips[i]
		first, end := s.First, s.First+int64(len(s.Codes))
		first = max(first, schedule.TurnBefore(s.Site, s.Interval, period.Start.Add(-1))+1)
		end = min(end, schedule.TurnBefore(s.Site, s.Interval, period.End.Add(-1))+1)
		if first < end {
			rows = append(rows, rowOf(s, first, end))
		}
	}
	return rows
}

// rowOf sums up some turns of a strip.
func rowOf(s *history.Strip, first, end int64) history.Summary {
	row := history.Summary{Site: s.Site, Interval: s.Interval, First: first, Turns: int(end - first)}
	var counts [256]uint32
	for n := first; n < end; n++ {
		code := s.Codes[n-s.First]
		counts[code]++
		if code > history.Unknown {
			continue
		}
		if last := len(row.Gaps) - 1; last >= 0 && row.Gaps[last].First+int64(row.Gaps[last].Turns) == n {
			row.Gaps[last].Turns++
		} else {
			row.Gaps = append(row.Gaps, history.Gap{First: n, Turns: 1})
		}
	}
	for code, n := range counts {
		if n > 0 {
			row.Counts = append(row.Counts, history.Count{Code: history.Code(code), N: n})
		}
	}
	return row
}

// Turn is one turn of a URL.
type Turn struct {
	// Start is when it was; it lasts up to the next one.
	Span
	Code history.Code
	// Region is where the check was made, as a number of the sheet.
	Region uint8
}

// Turns goes through the turns of a URL in a period, by time, with those of which no strip says
// anything. As in Lay, those in pauses are Paused if nothing is known of them, and those before
// the URL was watched are left out.
func (u URL) Turns(s Site, strips []history.Strip, period Span) iter.Seq[Turn] {
	return func(yield func(Turn) bool) {
		w := walk{layer: layer{site: s.ID, since: u.Since, paused: merge(slices.Clone(u.Paused))}, yield: yield}
		at, interval := period.Start, s.Interval
		for i := range strips {
			x := &strips[i]
			interval = x.Interval
			first := max(x.First, w.from(interval, period.Start))
			end := min(x.First+int64(len(x.Codes)), w.from(interval, period.End))
			if first >= end {
				continue
			}
			if !w.none(interval, w.from(interval, at), first) || !w.strip(x, first, end) {
				return
			}
			at = Latest(at, w.time(interval, end))
		}
		w.none(interval, w.from(interval, at), w.from(interval, period.End))
	}
}

// walk passes turns on, until yield is false.
type walk struct {
	layer
	yield func(Turn) bool
}

func (w *walk) strip(x *history.Strip, first, end int64) bool {
	for n := first; n < end; n++ {
		t := Turn{Span: Span{w.time(x.Interval, n), w.time(x.Interval, n+1)}, Code: x.Codes[n-x.First]}
		if x.Regions != nil {
			t.Region = x.Regions[n-x.First]
		}
		if !w.pass(t) {
			return false
		}
	}
	return true
}

func (w *walk) none(interval time.Duration, first, end int64) bool {
	for n := first; n < end; n++ {
		if !w.pass(Turn{Span: Span{w.time(interval, n), w.time(interval, n+1)}}) {
			return false
		}
	}
	return true
}

// pass passes a turn on, unless nobody asked for it.
func (w *walk) pass(t Turn) bool {
	if t.Code > history.Unknown {
		return w.yield(t)
	}
	if t.Code == history.None && t.Start.Before(w.since) {
		return true
	}
	for len(w.paused) > 0 && !w.paused[0].End.After(t.Start) {
		w.paused = w.paused[1:]
	}
	if t.Code == history.None && len(w.paused) > 0 && !t.Start.Before(w.paused[0].Start) {
		t.Code = history.Paused
	}
	return w.yield(t)
}
