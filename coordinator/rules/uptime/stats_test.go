package uptime_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/test/seeds"
)

// hours is a stretch between two hours of the window.
func hours(from, to float64) uptime.Span { return uptime.Span{Start: at(from), End: at(to)} }

func TestTheStatsOfAPeriod(t *testing.T) {
	t.Parallel()
	const minute = 1.0 / 60
	now := at(60)
	planned := down(10, 14)
	planned.Maintenance = []uptime.Span{hours(9, 12)}
	doubted := down(10, 14)
	doubted.Confirmed = at(13)
	for name, tt := range map[string]struct {
		url  uptime.URL
		gaps []uptime.Span
		// want has watched, paused, down, maintenance and unobserved time in hours, the outages
		// and those that ended, and the uptime in percent.
		want string
	}{
		"nothing is known":                          {uptime.URL{}, nil, "48 0 0 0 0, 0/0, 100.00"},
		"watched since noon":                        {uptime.URL{Since: at(24)}, nil, "36 0 0 0 0, 0/0, 100.00"},
		"not watched yet":                           {uptime.URL{Since: at(60)}, nil, "0 0 0 0 0, 0/0, none"},
		"paused all the time":                       {uptime.URL{Paused: []uptime.Span{{End: now}}}, nil, "0 48 0 0 0, 0/0, none"},
		"an outage":                                 {uptime.URL{Outages: []uptime.Outage{down(20, 26)}}, nil, "48 0 6 0 0, 1/1, 87.50"},
		"one from before the period":                {uptime.URL{Outages: []uptime.Outage{down(-9, 24)}}, nil, "48 0 12 0 0, 1/1, 75.00"},
		"one before the period":                     {uptime.URL{Outages: []uptime.Outage{down(-9, 12)}}, nil, "48 0 0 0 0, 0/0, 100.00"},
		"one that is open":                          {uptime.URL{Outages: []uptime.Outage{{Start: at(48)}}}, nil, "48 0 12 0 0, 1/0, 75.00"},
		"one that began before its URL was watched": {uptime.URL{Since: at(36), Outages: []uptime.Outage{down(24, 48)}}, nil, "36 0 24 0 0, 1/1, 33.33"},
		"one in a pause":                            {uptime.URL{Paused: []uptime.Span{hours(21, 25)}, Outages: []uptime.Outage{down(20, 26)}}, nil, "44 4 2 0 0, 1/1, 95.45"},
		"a pause that nobody knows the time of":     {uptime.URL{Outages: []uptime.Outage{{Start: at(20), End: at(26), PausedFor: 4 * time.Hour}}}, nil, "48 0 2 0 0, 1/1, 95.83"},
		"such a pause, in which nobody looked":      {uptime.URL{Outages: []uptime.Outage{{Start: at(20), End: at(26), PausedFor: 4 * time.Hour}}}, []uptime.Span{hours(21, 25)}, "48 0 1.98 0 4.02, 1/1, 95.87"},
		"a planned one":                             {uptime.URL{Outages: []uptime.Outage{planned}}, nil, "48 0 2 0 0, 1/1, 95.83"},
		"gaps while it was up":                      {uptime.URL{Outages: []uptime.Outage{down(20, 26)}}, []uptime.Span{hours(30, 40)}, "48 0 6 0 0, 1/1, 87.50"},
		"a gap in an outage":                        {uptime.URL{Outages: []uptime.Outage{down(20, 26)}}, []uptime.Span{hours(22, 25), hours(21, 23)}, "48 0 1.98 0 4.02, 1/1, 95.87"},
		"a gap over an outage":                      {uptime.URL{Outages: []uptime.Outage{down(20, 26)}}, []uptime.Span{hours(19, 30)}, "48 0 0 0 6, 0/0, 100.00"},
		"a gap before the confirmation":             {uptime.URL{Outages: []uptime.Outage{doubted}}, []uptime.Span{hours(12.5, 12.5+minute)}, "48 0 1.47 0 0.03, 1/1, 96.94"},
		"a gap after the confirmation":              {uptime.URL{Outages: []uptime.Outage{doubted}}, []uptime.Span{hours(13.5, 14)}, "48 0 1.5 0 0.5, 1/1, 96.88"},
		"gaps in a pause in an outage":              {uptime.URL{Paused: []uptime.Span{hours(21, 25)}, Outages: []uptime.Outage{down(20, 26)}}, []uptime.Span{hours(20.5, 25.5)}, "44 4 0.98 0 1.02, 1/1, 97.77"},
		"two outages":                               {uptime.URL{Outages: []uptime.Outage{down(20, 26), down(30, 36)}}, nil, "48 0 12 0 0, 2/2, 75.00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.url.Over(site, uptime.Span{Start: at(12), End: at(100)}, now, tt.gaps)
			share, ok := s.Uptime()
			text := fmt.Sprintf("%.2f", 100*share)
			if !ok {
				text = "none"
			}
			h := func(d time.Duration) string {
				return fmt.Sprintf("%.4g", float64(d.Round(36*time.Second))/float64(time.Hour))
			}
			got := fmt.Sprintf("%s %s %s %s %s, %d/%d, %s", h(s.Watched), h(s.Paused), h(s.Down), h(s.Maintenance), h(s.Unobserved), s.Outages, s.Ended, text)
			if got != tt.want || !s.Period.End.Equal(now) {
				t.Errorf("%s until %v, want %s", got, s.Period.End, tt.want)
			}
		})
	}
}

func TestMeansOfOutages(t *testing.T) {
	t.Parallel()
	u := uptime.URL{Outages: []uptime.Outage{down(-3, 1), down(10, 13), {Start: at(22)}}}
	s := u.Over(site, hours(0, 24), at(24), nil)
	if s.MeanRepair() != 2*time.Hour || s.MeanBetween() != 6*time.Hour || s.Longest != 3*time.Hour || s.Outages != 3 || s.Ended != 2 {
		t.Errorf("repaired in %v, %v up between, longest %v of %d, %d ended", s.MeanRepair(), s.MeanBetween(), s.Longest, s.Outages, s.Ended)
	}
	var none uptime.Stats
	if none.MeanRepair() != 0 || none.MeanBetween() != 0 {
		t.Error("there are means of nothing")
	}
}

// minutes says of each minute of the nine days around the window how a URL was.
type minutes struct{ watched, paused, down, planned, hidden [9 * 24 * 60]bool }

// of works minutes out one by one, as Stats are defined.
func (m *minutes) of(u uptime.URL, now time.Time, gaps []uptime.Span) {
	var c cells
	mark := func(all *[9 * 24 * 60]bool, spans []uptime.Span) {
		for _, s := range spans {
			for i := c.index(s.Start); i < min(c.index(s.End), c.index(now)); i++ {
				all[i] = true
			}
		}
	}
	var dark [9 * 24 * 60]bool
	mark(&m.paused, u.Paused)
	mark(&dark, gaps)
	blind := dark
	for i := range len(dark) - 1 { // and the minute after a gap
		blind[i+1] = blind[i+1] || dark[i]
	}
	for i := c.index(u.Since); i < c.index(now); i++ {
		m.watched[i] = !m.paused[i]
	}
	for _, o := range u.Outages {
		var planned [9 * 24 * 60]bool
		mark(&planned, o.Maintenance)
		end := o.End
		if end.IsZero() {
			if end = now; !o.Suspended.IsZero() {
				end = o.Suspended
			}
		}
		first := c.index(o.Start)
		for i := first; i < min(c.index(o.Confirmed), c.index(end)); i++ {
			if dark[i] && !dark[i+1] {
				first = i + 2
			}
		}
		var seen []int
		left := o.PausedFor
		for i := first; i < c.index(end); i++ {
			if m.paused[i] || blind[i] {
				left -= time.Minute
			} else {
				seen = append(seen, i)
			}
		}
		seen = seen[:max(0, len(seen)-max(0, int(left/time.Minute)))]
		for _, i := range seen {
			m.planned[i] = m.planned[i] || planned[i]
			m.down[i] = m.down[i] || !planned[i]
		}
		for i := c.index(o.Start); i < c.index(end); i++ {
			m.hidden[i] = m.hidden[i] || blind[i] && !m.paused[i]
		}
	}
}

// sum is what minutes come to in a period.
func (m *minutes) sum(period uptime.Span) (watched, down, planned, hidden time.Duration) {
	var c cells
	for i := c.index(period.Start); i < c.index(period.End); i++ {
		switch {
		case m.down[i]:
			down += time.Minute
		case m.planned[i]:
			planned += time.Minute
		case m.hidden[i]:
			hidden += time.Minute
		case !m.watched[i]:
			continue
		}
		watched += time.Minute
	}
	return watched, down, planned, hidden
}

func TestStatsAreTheSumOfTheirMinutes(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		minute := func() time.Time { return at(-72).Add(time.Duration(r.IntN(9*24*60)) * time.Minute) }
		span := func() uptime.Span {
			start := minute()
			return uptime.Span{Start: start, End: start.Add(time.Duration(r.IntN(900)) * time.Minute)}
		}
		some := func(n int) (all []uptime.Span) {
			for range r.IntN(n) {
				all = append(all, span())
			}
			return all
		}
		for round := range 200 {
			now := at(24).Add(time.Duration(r.IntN(48*60)) * time.Minute)
			u := uptime.URL{Since: minute(), Paused: some(4)}
			for range r.IntN(6) {
				s := span()
				o := uptime.Outage{Start: s.Start, Confirmed: s.Start.Add(time.Duration(r.IntN(60)) * time.Minute), End: s.End, Maintenance: some(3)}
				o.PausedFor = time.Duration(r.IntN(3)*r.IntN(500)) * time.Minute
				switch {
				case s.End.After(now):
					o.End = time.Time{}
				case r.IntN(5) == 0:
					o.End, o.Suspended = time.Time{}, s.End
				}
				if s.Start.Before(now) {
					u.Outages = append(u.Outages, o)
				}
			}
			gaps := some(8)
			var want minutes
			want.of(u, now, gaps)
			for range 5 {
				period := span()
				period.End = period.End.Add(time.Minute)
				if period.End.After(now) {
					period.End = now
				}
				watched, down, planned, hidden := want.sum(period)
				got := u.Over(site, period, now, gaps)
				if got.Watched != watched || got.Down != down || got.Maintenance != planned || got.Unobserved != hidden {
					t.Fatalf("round %d, %v at %v of %+v without %v: %+v, want watched %v, down %v, planned %v, unobserved %v",
						round, period, now, u, gaps, got, watched, down, planned, hidden)
				}
			}
		}
	})
}
