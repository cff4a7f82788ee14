package pace_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/state/pace"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	interval = 5 * time.Minute
	today    = history.Day(20_000)
)

// past has the days of sites, and notes what it is asked.
type past struct {
	days  map[check.SiteID]map[history.Day]history.Summary
	asked []check.SiteID
	most  int
	err   error
}

func (p *past) Days(_ context.Context, sites []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (time.Time, error) {
	p.most = max(p.most, len(sites))
	for _, s := range sites {
		p.asked = append(p.asked, s.ID)
		for day := from; day < to; day++ {
			if sum, ok := p.days[s.ID][day]; ok {
				f(s.ID, day, []history.Summary{sum})
			}
		}
	}
	return to.Start(), p.err
}

// usually gives a site so many days before today with a median.
func (p *past) usually(site check.SiteID, days int, median time.Duration) {
	if p.days == nil {
		p.days = map[check.SiteID]map[history.Day]history.Summary{}
	}
	p.days[site] = map[history.Day]history.Summary{}
	for ago := 1; ago <= days; ago++ {
		code := history.Took(median)
		p.days[site][today-history.Day(ago)] = history.Summary{Site: site, Interval: interval, Turns: 288, Counts: []history.Count{{Code: code, N: 288}}, Week: code}
	}
}

// ears hear the paces.
type ears struct{ all []engine.SitePace }

func (e *ears) NotePaces(p []engine.SitePace) { e.all = append(e.all, p...) }

// took is a strip of an hour in which each check took a time; 0 means failures.
func took(site check.SiteID, hour history.Hour, d time.Duration) history.Strip {
	s := history.Strip{Site: site, Interval: interval, First: schedule.TurnBefore(site, interval, hour.Start().Add(-1)) + 1}
	for range 12 {
		code := history.Failed
		if d > 0 {
			code = history.Took(d)
		}
		s.Codes = append(s.Codes, code)
	}
	return s
}

func TestAnHourIsPutBesideItsWeek(t *testing.T) {
	t.Parallel()
	p, e := &past{}, &ears{}
	p.usually(1, 7, 400*time.Millisecond)
	p.usually(2, 7, 400*time.Millisecond)
	p.usually(3, 2, 400*time.Millisecond) // not known for long enough
	p.usually(4, 7, 10*time.Millisecond)
	p.usually(5, 7, 400*time.Millisecond)
	first, _ := today.Hours()
	sheet := &history.Sheet{Regions: []string{""}, Strips: []history.Strip{
		took(1, first, 2*time.Second), took(2, first, 500*time.Millisecond), took(3, first, 2*time.Second), took(4, first, 100*time.Millisecond), took(5, first, 0), took(6, first, 2*time.Second),
	}}
	pace.New(pace.Options{Engine: e, History: p, Log: slog.New(slog.DiscardHandler)}).
		Judge(t.Context(), pace.Hours{Bucket: 7, First: first, End: first + 1, Checks: sheet})
	got := map[check.SiteID]advisory.Pace{}
	for _, x := range e.all {
		got[x.Site] = x.Pace
		if !x.At.Equal((first + 1).Start()) {
			t.Errorf("site %d: at %v", x.Site, x.At)
		}
		if want := "half of the checks of an hour took 2.02s or more, 5.0 times the 404ms of the week before"; x.Site == 1 && x.Detail != want {
			t.Errorf("in words %q, want %q", x.Detail, want)
		}
	}
	if want := map[check.SiteID]advisory.Pace{1: advisory.PaceSlower, 2: advisory.PaceUsual, 3: advisory.PaceUnknown, 4: advisory.PaceUsual, 6: advisory.PaceUnknown}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("paces %v, want %v", got, want)
	}
	if fmt.Sprint(p.asked) != "[1 2 3 6]" {
		t.Errorf("the weeks of %v were read", p.asked)
	}
}

func TestManyHoursAreJudgedInOrderAndManySitesSomeAtATime(t *testing.T) {
	t.Parallel()
	p, e := &past{}, &ears{}
	first, _ := today.Hours()
	sheet := &history.Sheet{Regions: []string{""}}
	for site := check.SiteID(1); site <= 2500; site++ {
		p.usually(site, 4, 300*time.Millisecond)
		a, b := took(site, first, 2*time.Second), took(site, first+1, 250*time.Millisecond)
		a.Codes = append(a.Codes, b.Codes...)
		sheet.Strips = append(sheet.Strips, a)
	}
	pace.New(pace.Options{Engine: e, History: p, Log: slog.New(slog.DiscardHandler)}).
		Judge(t.Context(), pace.Hours{First: first, End: first + 2, Checks: sheet})
	if len(e.all) != 5000 || p.most > 1000 {
		t.Fatalf("%d paces; %d weeks were read at once", len(e.all), p.most)
	}
	for i, x := range e.all {
		want, at := advisory.PaceSlower, (first + 1).Start()
		if i >= 2500 {
			want, at = advisory.PaceUsual, (first + 2).Start()
		}
		if x.Pace != want || !x.At.Equal(at) {
			t.Fatalf("number %d: %+v, want %d at %v", i, x, want, at)
		}
	}
}

func TestWhenWeeksCannotBeReadNothingIsRemarked(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	p, e := &past{err: errors.New("away")}, &ears{}
	p.usually(1, 7, 400*time.Millisecond)
	first, _ := today.Hours()
	w := pace.New(pace.Options{Engine: e, History: p, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for hour := first; hour < first+3; hour++ {
		w.Judge(t.Context(), pace.Hours{First: hour, End: hour + 1, Checks: &history.Sheet{Regions: []string{""}, Strips: []history.Strip{took(1, hour, 2*time.Second)}}})
	}
	if len(e.all) != 0 || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("paces %v; log:\n%s", e.all, log.String())
	}
}
