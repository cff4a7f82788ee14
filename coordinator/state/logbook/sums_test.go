package logbook_test

import (
	"math"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

type siteDay struct {
	site check.SiteID
	day  history.Day
}

// compareDays compares what days are summed up to with their turns, which all has.
func (w *world) compareDays(all map[turn]history.Code, first history.Day) {
	w.t.Helper()
	got := map[siteDay][]history.Summary{}
	until, err := w.reader.Days(w.t.Context(), w.sites, first, history.DayOf(w.now)+1, func(id check.SiteID, d history.Day, s []history.Summary) {
		got[siteDay{id, d}] = append(got[siteDay{id, d}], s...)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if lag := w.now.Sub(until); lag > 90*time.Minute+time.Hour || lag < 0 {
		w.t.Errorf("days are known until %v, at %v", until, w.now)
	}
	for day := first; day <= history.DayOf(w.now); day++ {
		for _, s := range w.sites {
			w.compareDay(all, s, day, got[siteDay{s.ID, day}], until)
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

func (w *world) compareDay(all map[turn]history.Code, s record.Site, day history.Day, got []history.Summary, until time.Time) {
	w.t.Helper()
	// Summaries may be an hour further than those of another site.
	end := day.Start().Add(24 * time.Hour)
	var want, have history.Tally
	intervals := map[time.Duration]bool{}
	var took []time.Duration
	for x, c := range all {
		if at := x.at(); x.site == s.ID && history.DayOf(at) == day && (at.Before(until) || !end.After(until)) {
			want[c]++
			intervals[x.interval] = true
			if w.calm && c.IsTime() {
				took = append(took, w.took(x, c))
			}
		}
	}
	if end.After(until) { // the day is not over
		for i := range got {
			if got[i].Turns < 0 {
				w.t.Errorf("%+v", got[i])
			}
		}
		return
	}
	for i := range got {
		var of history.Tally
		of.Add(&got[i])
		if int(of.Turns()) != got[i].Turns {
			w.t.Errorf("site %d, %v: the codes of %d turns are %d", s.ID, day.Start(), got[i].Turns, of.Turns())
		}
		have.Merge(&of)
	}
	want[history.None] = have[history.None]
	if have != want {
		w.t.Errorf("site %d, %v: codes come so often (-want +got):\n%s", s.ID, day.Start(), cmp.Diff(want, have))
	}
	if len(intervals) == 1 {
		w.compareGrid(all, s, day, got)
	}
	slices.Sort(took)
	for _, p := range []float64{50, 95, 99} {
		if len(took) == 0 {
			continue
		}
		exact := took[int(math.Ceil(float64(len(took))*p/100))-1]
		if ratio := float64(have.Percentile(p).Time()) / float64(exact); math.Abs(math.Log(ratio)) > math.Log(history.Step)/2+1e-6 {
			w.t.Errorf("site %d, %v: p%v is %v, want %v", s.ID, day.Start(), p, have.Percentile(p).Time(), exact)
		}
	}
}

// took returns how long the check of a turn took that counts.
func (w *world) took(x turn, c history.Code) time.Duration {
	i := slices.IndexFunc(w.kept[x], func(r row) bool { return r.code == c })
	return w.kept[x][i].took
}

// compareGrid compares a day under one interval turn by turn.
func (w *world) compareGrid(all map[turn]history.Code, s record.Site, day history.Day, got []history.Summary) {
	w.t.Helper()
	if len(got) != 1 {
		w.t.Errorf("site %d, %v has %d summaries of one interval", s.ID, day.Start(), len(got))
		return
	}
	x := got[0]
	first := schedule.TurnBefore(s.ID, x.Interval, day.Start().Add(-1)) + 1
	end := schedule.TurnBefore(s.ID, x.Interval, (day+1).Start().Add(-1)) + 1
	var gaps []history.Gap
	for n := first; n < end; n++ {
		if c := all[turn{s.ID, x.Interval, n}]; c != history.None && c != history.Unknown {
			continue
		}
		if k := len(gaps) - 1; k >= 0 && gaps[k].First+int64(gaps[k].Turns) == n {
			gaps[k].Turns++
		} else {
			gaps = append(gaps, history.Gap{First: n, Turns: 1})
		}
	}
	if x.First != first || int64(x.Turns) != end-first || !slices.Equal(x.Gaps, gaps) {
		w.t.Errorf("site %d, %v: turns from %d, %d of them, with gaps %v; want %d, %d, %v", s.ID, day.Start(), x.First, x.Turns, x.Gaps, first, end-first, gaps)
	}
}

// compareFleet compares what all sites come to in each hour.
func (w *world) compareFleet(all map[turn]history.Code) {
	w.t.Helper()
	want := map[history.Hour]*history.Tally{}
	from, to := history.HourOf(w.now), history.Hour(0)
	for x, c := range all {
		hour := history.HourOf(x.at())
		if want[hour] == nil {
			want[hour] = new(history.Tally)
		}
		want[hour][c]++
		from, to = min(from, hour), max(to, hour+1)
	}
	hours, until, err := w.reader.Fleet(w.t.Context(), from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	if lag := w.now.Sub(until); lag > 150*time.Minute {
		w.t.Errorf("the fleet is known until %v, at %v", until, w.now)
	}
	seen := 0
	for _, h := range hours {
		if !h.Hour.Start().Before(until) {
			continue
		}
		seen++
		if want[h.Hour] == nil {
			w.t.Errorf("%v is not an hour with checks", h.Hour.Start())
			continue
		}
		want[h.Hour][history.None] = h.Tally[history.None]
		if h.Tally != *want[h.Hour] {
			w.t.Errorf("in the hour of %v codes came so often (-want +got):\n%s", h.Hour.Start(), cmp.Diff(*want[h.Hour], h.Tally))
		}
	}
	for hour := range want {
		if hour.Start().Before(until) {
			seen--
		}
	}
	if seen != 0 {
		w.t.Errorf("%d hours more than there were checks in", seen)
	}
}
