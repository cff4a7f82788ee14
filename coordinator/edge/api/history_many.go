package api

import (
	"context"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// ledger sums a site up from its summaries, whose days come in any order.
type ledger struct {
	site uptime.Site
	url  uptime.URL
	// counted is the URL as far as turns are kept of it.
	counted uptime.URL
	turns   uptime.Turns
	// last is the last turn that is summed up, which may be later than that of others; without
	// codes when none is.
	last history.Strip
	// came are the days that came, by their number after the one before the period.
	came []bool
}

// many sums sites up over whole days.
func (l lookback) many(ctx context.Context, rows []record.Site, period uptime.Span, now time.Time) ([]*monitorv1.SiteUptime, error) {
	sites, known, err := l.ledgers(ctx, rows, period, now)
	if err != nil {
		return nil, err
	}
	all := make([]*monitorv1.SiteUptime, len(rows))
	for i, row := range rows {
		s := sites[row.ID]
		all[i] = uptimeToProto(row.ID, s.url.Over(s.site, period, now, s.turns.Gaps), &s.turns, known)
	}
	return all, nil
}

// ledgers reads what is known of sites over whole days, and until when their turns are known.
func (l lookback) ledgers(ctx context.Context, rows []record.Site, period uptime.Span, now time.Time) (map[check.SiteID]*ledger, time.Time, error) {
	sites := make(map[check.SiteID]*ledger, len(rows))
	ids := make([]check.SiteID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		sites[row.ID] = &ledger{site: uptime.Site{ID: row.ID, Interval: l.interval(row)}, url: record.Past{}.Of(row, now)}
	}
	byID := make(map[check.SiteID]record.Site, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	err := l.o.Store.Pasts(ctx, ids, period.Start, func(p record.Past) {
		if s := sites[p.SiteID]; s != nil {
			s.url = p.Of(byID[p.SiteID], now)
		}
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	kept, since, err := l.kept(ctx, period)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, s := range sites {
		s.counted = counted(s.url, since)
	}
	var known time.Time
	if kept.Start.Before(kept.End) && len(rows) > 0 {
		x := ledgers{sites: sites, kept: kept, first: history.DayOf(kept.Start) - 1, end: history.DayOf(kept.End.Add(-1)) + 1}
		if known, err = x.read(ctx, l.o.History, rows); err == nil && len(rows) <= fewSites {
			known, err = l.newest(ctx, sites, rows, uptime.Span{Start: known, End: uptime.Earliest(kept.End, now)})
		}
		if err != nil {
			return nil, time.Time{}, err
		}
	}
	return sites, known, nil
}

// fewSites is of how many sites the newest turns are read, which are not summed up yet. Without
// them an outage is counted as seen while nobody looks, until it is summed up that nobody did.
const fewSites = 10

// newest adds the turns of some sites that are not summed up yet, and returns until when those are
// known.
func (l lookback) newest(ctx context.Context, sites map[check.SiteID]*ledger, rows []record.Site, left uptime.Span) (known time.Time, err error) {
	if known = left.Start; left.End.Sub(left.Start) > aDay {
		return known, nil // summing up is stuck
	}
	sheets := make([]history.Sheet, len(rows))
	until := left.End
	for i, row := range rows {
		var of time.Time
		if sheets[i], of, err = l.o.History.Turns(ctx, row, left.Start, left.End); err != nil {
			return known, err
		}
		until = uptime.Earliest(until, of)
	}
	for left.End = until; left.Start.Before(left.End); {
		part := daily.cut(left)
		left.Start, known = part.End, part.End
		for i, row := range rows {
			sites[row.ID].addNewest(part, &sheets[i])
		}
	}
	return known, nil
}

// addNewest adds the turns of a part of a day that follow the last one that is summed up.
func (s *ledger) addNewest(part uptime.Span, sheet *history.Sheet) {
	var strips []history.Strip
	day := history.DayOf(part.Start)
	if len(s.last.Codes) > 0 {
		at := s.last.Start(0)
		part.Start = uptime.Latest(part.Start, at.Add(1))
		if history.DayOf(at) == day { // its interval goes on
			strips = append(strips, s.last)
		}
	}
	strips = append(strips, history.Merge(part.Start, part.End, sheet).Strips...)
	first, end := day.Hours()
	turns := s.counted.Lay(s.site, rowsIn(history.Whole(first, end, strips), part), part)
	s.turns.Add(&turns)
}

// ledgers are those of many sites, of the days from first up to end. Of the first one, the day
// before the period, only the gaps count: they may reach into it.
type ledgers struct {
	sites      map[check.SiteID]*ledger
	kept       uptime.Span
	first, end history.Day
	// known is until when turns are known.
	known time.Time
}

// read adds what is known of the days, and returns until when that is.
func (x *ledgers) read(ctx context.Context, from History, rows []record.Site) (known time.Time, err error) {
	for _, s := range x.sites {
		s.came = make([]bool, x.end-x.first)
	}
	x.known = x.kept.End
	var wait []func()
	until, err := from.Days(ctx, rows, x.first, x.end, func(id check.SiteID, day history.Day, rows []history.Summary) {
		if day >= x.end-2 { // it may not be over, and until when it is known is told at the end
			rows = slices.Clone(rows)
			wait = append(wait, func() { x.add(id, day, rows) })
			return
		}
		x.add(id, day, rows)
	})
	if err != nil {
		return known, err
	}
	x.known = uptime.Latest(uptime.Earliest(until, x.kept.End), x.kept.Start)
	for _, add := range wait {
		add()
	}
	for id, s := range x.sites {
		for n, came := range s.came {
			if !came {
				x.add(id, x.first+history.Day(n), nil)
			}
		}
	}
	return x.known, nil
}

// add adds a day of a site.
func (x *ledgers) add(id check.SiteID, day history.Day, rows []history.Summary) {
	s := x.sites[id]
	if s == nil || day < x.first || day >= x.end {
		return
	}
	s.came[day-x.first] = true
	span := uptime.Span{Start: uptime.Latest(day.Start(), x.kept.Start), End: uptime.Earliest((day + 1).Start(), x.known)}
	switch lead := day == x.first; {
	case lead && !x.kept.Start.Equal((day + 1).Start()): // nothing was kept then
	case lead:
		span.Start = day.Start()
		s.turns.Gaps = append(s.turns.Gaps, s.counted.Lay(s.site, rows, span).Gaps...)
	case len(rows) > 0 || span.Start.Before(span.End):
		if len(rows) > 0 {
			row := rows[len(rows)-1]
			last := history.Strip{Site: id, Interval: row.Interval, First: row.First + int64(row.Turns) - 1, Codes: []history.Code{history.Unknown}}
			if len(s.last.Codes) == 0 || s.last.Start(0).Before(last.Start(0)) {
				s.last = last
			}
		}
		turns := s.counted.Lay(s.site, rows, span)
		s.turns.Add(&turns)
	}
}
