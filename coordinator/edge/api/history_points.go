package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// pager reads the points of a site's history, some at a time.
type pager struct {
	look   lookback
	row    record.Site
	step   resolution
	region string
	now    time.Time
}

// page returns at most size points of what is left of a period, what is left after them, and
// until when turns are known.
func (x *pager) page(ctx context.Context, left uptime.Span, size int) (points []*monitorv1.HistoryPoint, rest uptime.Span, known time.Time, err error) {
	if x.step == raw {
		return x.turns(ctx, left, size)
	}
	period := left
	for range size {
		if !left.Start.Before(left.End) {
			break
		}
		left.Start = x.step.cut(left).End
	}
	period.End = left.Start
	p, err := x.look.read(ctx, reading{row: x.row, period: period, now: x.now, step: x.step, region: x.region})
	if err != nil {
		return nil, left, known, err
	}
	for s := period; s.Start.Before(s.End); {
		part := x.step.cut(s)
		s.Start = part.End
		if !part.Start.Before(x.now) {
			return points, s, p.known(), nil
		}
		point := p.point(part)
		if x.region != "" {
			point.Coverage = nil
		}
		points = append(points, point)
	}
	return points, left, p.known(), nil
}

// turns is page of single turns. Of days whose turns are kept no longer there are none.
func (x *pager) turns(ctx context.Context, left uptime.Span, size int) (points []*monitorv1.HistoryPoint, rest uptime.Span, known time.Time, err error) {
	p, err := x.look.newPast(ctx, x.row, left, x.now)
	over := uptime.Span{Start: left.End, End: left.End}
	if err != nil || p.empty() {
		return nil, over, known, err
	}
	first, end := history.DayOf(p.kept.Start), history.DayOf(p.kept.End.Add(-1))+1
	summed := map[history.Day][]history.Summary{}
	if _, err = x.look.o.History.Days(ctx, []record.Site{x.row}, first, end, func(_ check.SiteID, day history.Day, rows []history.Summary) {
		summed[day] = slices.Clone(rows)
	}); err != nil {
		return nil, over, known, err
	}
	c := chunks{look: x.look, row: x.row, of: p.kept, size: aDay}
	for left := p.kept; left.Start.Before(left.End); {
		s := daily.cut(left)
		left.Start = s.End
		if err := c.read(ctx, s.Start); err != nil {
			return nil, over, known, err
		}
		if known = uptime.Earliest(c.known, p.kept.End); c.gone(s.Start, summed[history.DayOf(s.Start)], x.now) {
			continue
		}
		s.End = uptime.Earliest(s.End, known)
		for t := range p.counted.Turns(p.site, c.day(s.Start), s) {
			place := ""
			if int(t.Region) < len(c.sheet.Regions) {
				place = c.sheet.Regions[t.Region]
			}
			if x.region != "" && history.Region(place) != x.region {
				continue
			}
			if len(points) == size {
				return points, uptime.Span{Start: t.Start, End: left.End}, known, nil
			}
			points = append(points, turnToProto(t, place))
		}
	}
	return points, over, known, nil
}

// known returns until when turns are known; zero when none are.
func (p *past) known() time.Time {
	if p.empty() {
		return time.Time{}
	}
	return p.kept.End
}

// point says how the site was in an hour or a day of the period.
func (p *past) point(s uptime.Span) *monitorv1.HistoryPoint {
	turns := p.turns(s)
	return pointToProto(p.stats(s), &turns)
}

// toProto says how the site was over the whole period.
func (p *past) toProto() *monitorv1.SiteUptime {
	turns := p.turns(p.period)
	return uptimeToProto(p.site.ID, p.stats(p.period), &turns, p.known())
}

// regions returns how quick a site answered in each region.
func (l lookback) regions(ctx context.Context, row record.Site, p *past) ([]*monitorv1.RegionTimes, error) {
	sums := map[string]*history.Tally{}
	c := chunks{look: l, row: row, of: p.kept, size: chunk}
	for at := p.kept.Start; at.Before(p.kept.End); at = c.end {
		if err := c.read(ctx, at); err != nil {
			return nil, err
		}
		for name, t := range tallies(&c.sheet, uptime.Span{Start: at, End: uptime.Earliest(c.end, p.kept.End)}) {
			if sums[name] == nil {
				sums[name] = new(history.Tally)
			}
			sums[name].Merge(t)
		}
	}
	var all []*monitorv1.RegionTimes
	for name, t := range sums {
		all = append(all, &monitorv1.RegionTimes{
			Region: name, ResponseTimes: timesToProto(t), Failed: int64(t[history.Failed] + t[history.Blocked] + t[history.Maintenance]),
		})
	}
	slices.SortFunc(all, func(a, b *monitorv1.RegionTimes) int { return strings.Compare(a.GetRegion(), b.GetRegion()) })
	return all, nil
}
