package api

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// known is a History of one site, whose every turn is in memory.
type known struct {
	site  check.SiteID
	all   *history.Sheet
	since time.Time
	// until is when turns are known, and summed the hour before which they are summed up.
	until  time.Time
	summed history.Hour
	// ahead is how much further the site's own summaries are.
	ahead history.Hour
	// gone is the day before which turns are kept no longer.
	gone history.Day
}

// Turns implements History.
func (k *known) Turns(_ context.Context, _ record.Site, from, to time.Time) (history.Sheet, time.Time, error) {
	s := history.Merge(uptime.Latest(from, k.gone.Start()), to, k.all)
	return *s, uptime.Earliest(to, k.until), nil
}

// Days implements History.
func (k *known) Days(_ context.Context, _ []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (time.Time, error) {
	for day := from; day < to; day++ {
		first, end := day.Hours()
		end = min(end, k.summed+k.ahead)
		if first >= end {
			break
		}
		sums := history.Summaries{Until: first}
		for h := first; h < end; h++ {
			sums.Add(h+1, history.Merge(h.Start(), (h+1).Start(), k.all))
		}
		if len(sums.Sites) > 0 {
			f(k.site, day, sums.Sites)
		}
	}
	return uptime.Earliest(to.Start(), k.summed.Start()), nil
}

// Fleet implements History.
func (k *known) Fleet(context.Context, history.Hour, history.Hour) ([]history.FleetHour, time.Time, error) {
	return nil, time.Time{}, nil
}

// Since implements History.
func (k *known) Since(context.Context) (time.Time, error) { return k.since, nil }

// remembered is a store that knows the past of one site.
type remembered struct {
	store.Store
	past record.Past
}

// Pasts implements store.Store.
func (r remembered) Pasts(_ context.Context, _ []check.SiteID, since time.Time, f func(record.Past)) error {
	p := record.Past{SiteID: r.past.SiteID, Watched: r.past.Watched}
	for _, o := range r.past.Outages {
		if o.End.IsZero() || o.End.After(since) {
			p.Outages = append(p.Outages, o)
		}
	}
	f(p)
	return nil
}

// life is the random life of a site.
type life struct {
	known
	row  record.Site
	past record.Past
	now  time.Time
}

func randomLife(r *rand.Rand) *life {
	now := time.Date(2026, 11, 20, r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
	l := &life{now: now}
	l.site = check.SiteID(1 + r.IntN(1000))
	l.until = now.Add(-time.Duration(r.IntN(700)) * time.Second)
	l.summed = history.HourOf(now.Add(-90*time.Minute)) + 1
	if l.ahead = history.Hour(r.IntN(2)); (l.summed + l.ahead).Start().After(l.until) {
		l.ahead = 0
	}
	began := now.Add(-time.Duration(30+r.IntN(90)) * time.Hour)
	l.since = began.Truncate(time.Hour)
	l.row = record.Site{ID: l.site}
	watched := began
	if r.IntN(2) == 0 { // the site is older than what is kept
		watched = began.Add(-240 * time.Hour)
	}
	intervals := []time.Duration{time.Minute, 5 * time.Minute, 4 * time.Minute}
	l.row.Interval = intervals[r.IntN(3)]
	l.past = record.Past{SiteID: l.site, Watched: []uptime.Span{{Start: watched}}}
	if r.IntN(2) == 0 { // a pause
		p := began.Add(time.Duration(r.IntN(20*3600)) * time.Second)
		l.past.Watched = []uptime.Span{{Start: watched, End: p}, {Start: p.Add(time.Duration(r.IntN(8*3600)) * time.Second)}}
	}
	var notes []history.Note
	interval, blind, failing := l.row.Interval, 0, 0
	if r.IntN(2) == 0 {
		interval = intervals[r.IntN(3)]
	}
	changes := began.Add(time.Duration(r.IntN(int(now.Sub(began)))))
	for at := began; at.Before(l.until); {
		if at.After(changes) {
			interval = l.row.Interval
		}
		n := schedule.TurnBefore(l.site, interval, at) + 1
		at = schedule.TurnTime(l.site, interval, n)
		code := history.Took(time.Duration(1+r.IntN(3000)) * time.Millisecond)
		switch {
		case blind > 0:
			blind--
			continue
		case failing > 0:
			failing--
			code = history.Failed
		case r.IntN(200) == 0:
			blind = r.IntN(2000)
		case r.IntN(100) == 0:
			failing = r.IntN(60)
		case r.IntN(40) == 0:
			code = history.Unknown
		}
		if at.Before(l.until) && !l.asleep(at) {
			notes = append(notes, history.Note{Site: l.site, Turn: uint32(n), Interval: uint16(interval / time.Second), Code: code, Region: uint8(1 + r.IntN(2))})
		}
	}
	var b history.Binder
	var sheets []*history.Sheet
	for _, bound := range b.Bind(notes, []string{"", "eu", "us"}) {
		sheets = append(sheets, bound.Sheet)
	}
	l.all = history.Merge(time.Unix(0, 0), now, sheets...)
	for range r.IntN(4) {
		o := record.PastOutage{}
		o.Start = began.Add(time.Duration(r.IntN(int(now.Sub(began)))) - 10*time.Hour)
		o.Confirmed = o.Start.Add(time.Minute)
		o.End = uptime.Earliest(now, o.Start.Add(2*time.Minute+time.Duration(r.IntN(int(5*time.Hour)))))
		l.past.Outages = append(l.past.Outages, o)
	}
	return l
}

// asleep reports whether the site is paused.
func (l *life) asleep(at time.Time) bool {
	return !slices.ContainsFunc(l.past.Watched, func(s uptime.Span) bool {
		return !at.Before(s.Start) && (s.End.IsZero() || at.Before(s.End))
	})
}

func (l *life) look() lookback {
	return lookback{o: Options{Engine: new(engine.Engine), Store: remembered{past: l.past}, History: &l.known}}
}

// points reads all points of a period.
func (l *life) points(t *testing.T, step resolution, period uptime.Span, size int) (all []*monitorv1.HistoryPoint) {
	t.Helper()
	x := pager{look: l.look(), row: l.row, step: step, now: l.now}
	for left := period; left.Start.Before(left.End); {
		points, rest, _, err := x.page(t.Context(), left, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(points) > size || !rest.Start.After(left.Start) {
			t.Fatalf("%d points of %v, rest %v", len(points), left, rest)
		}
		all, left = append(all, points...), rest
	}
	return all
}

// sum adds up points: turns by code, and downtime.
func sum(points []*monitorv1.HistoryPoint) (c *monitorv1.TurnCounts, down time.Duration) {
	c = &monitorv1.TurnCounts{}
	for _, p := range points {
		x := p.GetTurns()
		c.None += x.GetNone()
		c.Unknown += x.GetUnknown()
		c.Good += x.GetGood()
		c.Failed += x.GetFailed()
		c.Paused += x.GetPaused()
		down += p.GetDownTime().AsDuration()
		switch p.GetCode() {
		case monitorv1.TurnCode_TURN_CODE_NONE:
			c.None++
		case monitorv1.TurnCode_TURN_CODE_UNKNOWN:
			c.Unknown++
		case monitorv1.TurnCode_TURN_CODE_GOOD:
			c.Good++
		case monitorv1.TurnCode_TURN_CODE_FAILED:
			c.Failed++
		case monitorv1.TurnCode_TURN_CODE_PAUSED:
			c.Paused++
		}
	}
	return c, down
}

func pointsIn(points []*monitorv1.HistoryPoint, p *monitorv1.HistoryPoint) (in []*monitorv1.HistoryPoint) {
	for _, x := range points {
		if at := x.GetStartTime().AsTime(); !at.Before(p.GetStartTime().AsTime()) && at.Before(p.GetEndTime().AsTime()) {
			in = append(in, x)
		}
	}
	return in
}

func TestAllResolutionsAndStatisticsAgree(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 9143913172521962842, 17546198330047164050, 15501574126756586737, 3171746308851493231, 10763325275984736370}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 19))
		l := randomLife(r)
		period := uptime.Span{Start: midnight(l.now).Add(-time.Duration(1+r.IntN(6)) * aDay), End: l.now}
		if r.IntN(2) == 0 {
			period.Start = period.Start.Add(time.Duration(r.IntN(int(aDay))))
			period.End = period.End.Add(-time.Duration(r.IntN(int(20 * time.Hour))))
		}
		turns := l.points(t, raw, period, 1+r.IntN(700))
		hours := l.points(t, hourly, period, 1+r.IntN(30))
		days := l.points(t, daily, period, 1+r.IntN(4))
		for _, of := range [][]*monitorv1.HistoryPoint{hours, days} {
			for _, p := range of {
				want, _ := sum(pointsIn(turns, p))
				if diff := cmp.Diff(want, p.GetTurns(), protocmp.Transform()); diff != "" {
					t.Errorf("%v to %v (-by turn +as a whole):\n%s", p.GetStartTime().AsTime(), p.GetEndTime().AsTime(), diff)
				}
			}
		}
		p, err := l.look().read(t.Context(), reading{row: l.row, period: period, now: l.now, step: daily})
		if err != nil {
			t.Fatal(err)
		}
		whole := p.toProto()
		want, _ := sum(turns)
		if diff := cmp.Diff(want, whole.GetTurns(), protocmp.Transform()); diff != "" {
			t.Errorf("the whole period (-by turn +as a whole):\n%s", diff)
		}
		for name, points := range map[string][]*monitorv1.HistoryPoint{"hours": hours, "days": days} {
			if _, down := sum(points); down != whole.GetDownTime().AsDuration() {
				t.Errorf("%s were down for %v, the whole for %v", name, down, whole.GetDownTime().AsDuration())
			}
		}
		l.compareMany(t, uptime.Span{Start: midnight(period.Start), End: midnight(l.now)})
		l.compareMany(t, uptime.Span{Start: midnight(period.Start), End: midnight(l.now).Add(aDay)})
	})
}

// compareMany compares statistics of many sites with those of one, over whole days.
func (l *life) compareMany(t *testing.T, period uptime.Span) {
	t.Helper()
	if !period.Start.Before(period.End) {
		return
	}
	many, err := l.look().many(t.Context(), []record.Site{l.row}, period, l.now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.look().read(t.Context(), reading{row: l.row, period: period, now: l.now, step: daily})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.toProto(), many[0], protocmp.Transform()); diff != "" {
		t.Errorf("%v (-alone +among many):\n%s", period, diff)
	}
}
