package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
)

// History reads what became of turns; package logbook implements it. Turns that are known and
// in no strip or summary are none; of what is after until nothing can be said yet.
type History interface {
	// Turns reads the turns of a site.
	Turns(ctx context.Context, site record.Site, from, to time.Time) (s history.Sheet, until time.Time, err error)
	// Days passes the summaries of each day of up to 1000 sites to f, in any order.
	Days(ctx context.Context, sites []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (until time.Time, err error)
	// Fleet reads what the turns of all sites came to.
	Fleet(ctx context.Context, from, to history.Hour) (hours []history.FleetHour, until time.Time, err error)
	// Since returns since when anything is kept; zero when nothing is.
	Since(ctx context.Context) (time.Time, error)
}

// lookback reads the past of sites.
type lookback struct{ o Options }

// past is what is known of a site over a period.
type past struct {
	site   uptime.Site
	url    uptime.URL
	now    time.Time
	period uptime.Span
	// counted is the URL as far as turns are kept of it.
	counted uptime.URL
	// kept is the part of the period whose turns are known; without a length when none are.
	kept uptime.Span
	// parts have the turns of kept, by time, each of an hour or a day, or a part of one.
	parts []pastPart
	// gaps are those of all parts, and what reaches into the period from before, of which they
	// have been noted up to led.
	gaps []uptime.Span
	led  time.Time
	// record is made by stats.
	record *uptime.Record
}

// pastPart are the turns of a part of a period.
type pastPart struct {
	uptime.Span
	turns uptime.Turns
}

// leadIn is for how long before a period turns are read that may tell of its beginning: longer
// than any interval.
const leadIn = 5 * time.Hour

// newPast reads all of a site's past but its turns.
func (l lookback) newPast(ctx context.Context, row record.Site, period uptime.Span, now time.Time) (*past, error) {
	p := &past{site: uptime.Site{ID: row.ID, Interval: l.interval(row)}, now: now, period: period}
	all := record.Past{}
	err := l.o.Store.Pasts(ctx, []check.SiteID{row.ID}, period.Start, func(found record.Past) { all = found })
	if err != nil {
		return nil, err
	}
	p.url = all.Of(row, now)
	kept, since, err := l.kept(ctx, period)
	p.kept, p.counted = kept, counted(p.url, since)
	return p, err
}

// counted returns what counts of a URL when its turns are laid over, of which none is kept before
// since. Then nobody knows of a gap; summaries of the day have one.
func counted(u uptime.URL, since time.Time) uptime.URL {
	u.Since = uptime.Latest(u.Since, since)
	return u
}

// interval returns the interval in force for a site, which is not 0.
func (l lookback) interval(row record.Site) time.Duration {
	return cmp.Or(l.o.Engine.Interval(row.Interval), defaultInterval)
}

// kept returns the part of a period since turns are kept, and since when they are.
func (l lookback) kept(ctx context.Context, period uptime.Span) (kept uptime.Span, since time.Time, err error) {
	none := uptime.Span{Start: period.Start, End: period.Start}
	if l.o.History == nil {
		return none, since, nil
	}
	since, err = l.o.History.Since(ctx)
	if err != nil || since.IsZero() || !since.Before(period.End) {
		return none, since, err
	}
	return uptime.Span{Start: uptime.Latest(period.Start, since), End: period.End}, since, nil
}

// empty reports whether no turn is known.
func (p *past) empty() bool { return !p.kept.Start.Before(p.kept.End) }

// reading is what read is asked for.
type reading struct {
	row    record.Site
	period uptime.Span
	now    time.Time
	// step is what a part of the past is at most: an hour or a day.
	step resolution
	// region, when not empty, is the only one whose checks count in the turns.
	region string
}

// read reads the past of a site, its turns in parts.
func (l lookback) read(ctx context.Context, r reading) (*past, error) {
	p, err := l.newPast(ctx, r.row, r.period, r.now)
	if err != nil || p.empty() {
		return p, err
	}
	first, end := history.DayOf(p.kept.Start.Add(-leadIn)), history.DayOf(p.kept.End.Add(-1))+1
	days := map[history.Day][]history.Summary{}
	summed, err := l.o.History.Days(ctx, []record.Site{r.row}, first, end, func(_ check.SiteID, day history.Day, rows []history.Summary) {
		days[day] = slices.Clone(rows)
	})
	if err != nil {
		return nil, err
	}
	if first < history.DayOf(p.kept.Start) && !summed.Before((first + 1).Start()) {
		p.led = (first + 1).Start()
		p.lead(days[first], uptime.Span{Start: first.Start(), End: p.led})
	}
	c := chunks{look: l, row: r.row, of: p.kept, size: chunk}
	if r.step == daily && r.region == "" {
		c.size = aDay
	}
	known := p.kept.End
	for left := p.kept; left.Start.Before(left.End); {
		s := daily.cut(left)
		left.Start = s.End
		day := history.DayOf(s.Start)
		whole := s.Start.Equal(day.Start()) && s.End.Equal((day + 1).Start()) && !summed.Before(s.End)
		if r.step == daily && r.region == "" && whole {
			p.add(s, days[day], nil)
			continue
		}
		if err := c.read(ctx, s.Start); err != nil {
			return nil, err
		}
		if c.known.Before(s.End) {
			s.End = uptime.Latest(c.known, s.Start)
			known = uptime.Earliest(known, s.End)
		}
		p.addTurns(s, &c, days[day], r)
	}
	p.kept.End = known
	return p, nil
}

// goneAfter is how long after a day its turns may be kept no longer, if there are none.
const goneAfter = aDay

// gone reports whether the turns of a moment's day are kept no longer: the day has a summary,
// which it only has if it had turns.
func (c *chunks) gone(at time.Time, summary []history.Summary, now time.Time) bool {
	day := uptime.Span{Start: midnight(at), End: midnight(at).Add(aDay)}
	return len(summary) > 0 && now.Sub(day.End) > goneAfter && len(uptime.Rows(c.sheet.Strips, day)) == 0
}

// addTurns adds the turns of a day, or of a part of one.
func (p *past) addTurns(s uptime.Span, c *chunks, day []history.Summary, r reading) {
	sheet := &c.sheet
	if s.Start.Equal(p.kept.Start) {
		p.leadTo(s.Start, c)
	}
	if c.gone(s.Start, day, r.now) { // the summary cannot be cut
		if r.step == daily && r.region == "" {
			p.add(s, day, nil)
		} else {
			p.gaps = append(p.gaps, p.counted.Lay(p.site, day, s).Gaps...)
		}
		return
	}
	turns := c.day(s.Start)
	for s.Start.Before(s.End) {
		part := r.step.cut(s)
		s.Start = part.End
		var only *history.Tally
		if r.region != "" {
			only = tallies(sheet, part)[r.region]
			if only == nil {
				only = new(history.Tally)
			}
		}
		p.add(part, rowsIn(turns, part), only)
	}
}

// leadTo notes the gaps of what is before a moment, which may reach beyond it.
func (p *past) leadTo(at time.Time, c *chunks) {
	for left := (uptime.Span{Start: uptime.Latest(at.Add(-leadIn), p.led), End: at}); left.Start.Before(left.End); {
		part := daily.cut(left)
		left.Start = part.End
		p.lead(rowsIn(c.day(part.Start), part), part)
	}
}

// lead notes the gaps of what is before the period, which may reach into it.
func (p *past) lead(rows []history.Summary, s uptime.Span) {
	p.gaps = append(p.gaps, p.counted.Lay(p.site, rows, s).Gaps...)
}

// add adds the turns of a part of the period; only, when not nil, are those that count.
func (p *past) add(s uptime.Span, rows []history.Summary, only *history.Tally) {
	if !s.Start.Before(s.End) {
		return
	}
	part := pastPart{Span: s, turns: p.counted.Lay(p.site, rows, s)}
	p.gaps = append(p.gaps, part.turns.Gaps...)
	if only != nil {
		part.turns.Tally = *only
	}
	p.parts = append(p.parts, part)
}

// chunk is how much of a site's past is read together when each turn is wanted.
const chunk = 10 * aDay

// chunks reads the turns of a site, some days at a time.
type chunks struct {
	look lookback
	row  record.Site
	of   uptime.Span
	size time.Duration
	// sheet has the turns up to end, and what leads to the first of all; known is until when
	// turns are known.
	sheet      history.Sheet
	end, known time.Time
}

// read makes sure that the turns of the day of a moment are there, the whole day.
func (c *chunks) read(ctx context.Context, at time.Time) (err error) {
	if at.Before(c.end) {
		return nil
	}
	from := midnight(at)
	if at.Equal(c.of.Start) {
		from = uptime.Earliest(from, at.Add(-leadIn))
	}
	c.end = uptime.Earliest(midnight(c.of.End.Add(-1)).Add(aDay), midnight(at).Add(c.size))
	c.sheet, c.known, err = c.look.o.History.Turns(ctx, c.row, from, c.end)
	return err
}

// day returns every turn of the day of a moment, as its summary counts them: also those of which
// nothing is known, unless nothing is of the whole day.
func (c *chunks) day(at time.Time) []history.Strip {
	first, end := history.DayOf(at).Hours()
	return history.Whole(first, end, c.sheet.Strips)
}

// rowsIn sums up the turns of a day that are in a part of it. If none is, that is what the interval
// of the day says, which may not be that of now.
func rowsIn(day []history.Strip, part uptime.Span) []history.Summary {
	rows := uptime.Rows(day, part)
	if len(rows) > 0 || len(day) == 0 {
		return rows
	}
	x := &day[0]
	for i := range day {
		if day[i].Start(0).Before(part.Start) {
			x = &day[i]
		}
	}
	return []history.Summary{{Site: x.Site, Interval: x.Interval, First: schedule.TurnBefore(x.Site, x.Interval, part.Start.Add(-1)) + 1}}
}

// tallies counts the turns of a sheet of one site in a period by the region of their checks.
func tallies(sheet *history.Sheet, s uptime.Span) map[string]*history.Tally {
	all := map[string]*history.Tally{}
	for i := range sheet.Strips {
		strip := &sheet.Strips[i]
		var by [history.MaxRegions + 1]*history.Tally
		for j, code := range strip.Codes {
			if code == history.None {
				continue
			}
			if at := strip.Start(j); at.Before(s.Start) || !at.Before(s.End) {
				continue
			}
			n := uint8(0)
			if strip.Regions != nil {
				n = strip.Regions[j]
			}
			if int(n) >= len(sheet.Regions) {
				n = 0
			}
			if by[n] == nil {
				name := ""
				if len(sheet.Regions) > 0 {
					name = history.Region(sheet.Regions[n])
				}
				if all[name] == nil {
					all[name] = new(history.Tally)
				}
				by[n] = all[name]
			}
			by[n][code]++
		}
	}
	return all
}

// stats returns how the site was over a part of the period, or all of it.
func (p *past) stats(period uptime.Span) uptime.Stats {
	if p.record == nil { // all gaps are there
		p.record = p.url.Record(p.site, p.now, p.gaps)
	}
	return p.record.Over(period)
}

// turns returns the turns of the parts that begin in a part of the period.
func (p *past) turns(period uptime.Span) (sum uptime.Turns) {
	for i := range p.parts {
		if part := &p.parts[i]; !part.Start.Before(period.Start) && part.Start.Before(period.End) {
			sum.Tally.Merge(&part.turns.Tally)
		}
	}
	return sum
}
