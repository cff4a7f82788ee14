package uptime_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/test/seeds"
)

// midnight begins the last day of the windows here, which have three.
var midnight = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// at is so many hours after the window's beginning.
func at(hours float64) time.Time {
	return midnight.Add(-48 * time.Hour).Add(time.Duration(hours * float64(time.Hour)))
}

// down is a closed outage between two hours.
func down(from, to float64) uptime.Outage { return uptime.Outage{Start: at(from), End: at(to)} }

func TestTheDaysOfASite(t *testing.T) {
	t.Parallel()
	const idle = -1
	now := at(60) // noon of the third day
	second := 1.0 / 3600
	for name, tt := range map[string]struct {
		urls []uptime.URL
		// want has the minutes of downtime of the three days; idle when nothing was watched.
		want [3]int
	}{
		"no URL":                                  {nil, [3]int{idle, idle, idle}},
		"one that never failed":                   {[]uptime.URL{{}}, [3]int{0, 0, 0}},
		"one that began yesterday":                {[]uptime.URL{{Since: at(30)}}, [3]int{idle, 0, 0}},
		"one that began this very moment":         {[]uptime.URL{{Since: now}}, [3]int{idle, idle, idle}},
		"an outage inside a day":                  {[]uptime.URL{{Outages: []uptime.Outage{down(1, 2)}}}, [3]int{60, 0, 0}},
		"a second of downtime is a minute":        {[]uptime.URL{{Outages: []uptime.Outage{down(1, 1+second)}}}, [3]int{1, 0, 0}},
		"sixty seconds are one minute":            {[]uptime.URL{{Outages: []uptime.Outage{down(1, 1+60*second)}}}, [3]int{1, 0, 0}},
		"two parts of a minute are one":           {[]uptime.URL{{Outages: []uptime.Outage{down(1, 1+20*second), down(2, 2+20*second)}}}, [3]int{1, 0, 0}},
		"an outage over midnight":                 {[]uptime.URL{{Outages: []uptime.Outage{down(23, 25)}}}, [3]int{60, 60, 0}},
		"an outage that ends at midnight":         {[]uptime.URL{{Outages: []uptime.Outage{down(23, 24)}}}, [3]int{60, 0, 0}},
		"an outage from before the window":        {[]uptime.URL{{Outages: []uptime.Outage{down(-100, 3)}}}, [3]int{180, 0, 0}},
		"an outage that ended before":             {[]uptime.URL{{Outages: []uptime.Outage{down(-100, 0)}}}, [3]int{0, 0, 0}},
		"an open outage":                          {[]uptime.URL{{Outages: []uptime.Outage{{Start: at(47)}}}}, [3]int{0, 60, 720}},
		"an open outage from before the window":   {[]uptime.URL{{Outages: []uptime.Outage{{Start: at(-1)}}}}, [3]int{1440, 1440, 720}},
		"an outage before its URL is known":       {[]uptime.URL{{Since: at(30), Outages: []uptime.Outage{down(1, 2)}}}, [3]int{60, 0, 0}},
		"two URLs down at once count once":        {[]uptime.URL{{Outages: []uptime.Outage{down(1, 3)}}, {Outages: []uptime.Outage{down(2, 4)}}}, [3]int{180, 0, 0}},
		"two URLs down one after the other":       {[]uptime.URL{{Outages: []uptime.Outage{down(1, 2)}}, {Outages: []uptime.Outage{down(2, 3)}}}, [3]int{120, 0, 0}},
		"one of two URLs is watched":              {[]uptime.URL{{Since: at(50)}, {Paused: []uptime.Span{{at(26), now}}}}, [3]int{0, 0, 0}},
		"a pause of a whole day":                  {[]uptime.URL{{Paused: []uptime.Span{{at(24), at(48)}}}}, [3]int{0, idle, 0}},
		"a pause of all but a minute of a day":    {[]uptime.URL{{Paused: []uptime.Span{{at(24), at(48 - 60*second)}}}}, [3]int{0, 0, 0}},
		"paused from the beginning until now":     {[]uptime.URL{{Paused: []uptime.Span{{time.Time{}, now}}}}, [3]int{idle, idle, idle}},
		"an outage, suspended by a pause":         {[]uptime.URL{{Paused: []uptime.Span{{at(2), now}}, Outages: []uptime.Outage{{Start: at(1), Suspended: at(2)}}}}, [3]int{60, idle, idle}},
		"the same, and nobody knows of the pause": {[]uptime.URL{{Outages: []uptime.Outage{{Start: at(1), Suspended: at(2)}}}}, [3]int{60, 0, 0}},
		"a known pause inside an outage":          {[]uptime.URL{{Paused: []uptime.Span{{at(2), at(26)}}, Outages: []uptime.Outage{{Start: at(1), End: at(27), PausedFor: 24 * time.Hour}}}}, [3]int{60, 60, 0}},
		"an unknown pause inside an outage":       {[]uptime.URL{{Outages: []uptime.Outage{{Start: at(1), End: at(27), PausedFor: 4 * time.Hour}}}}, [3]int{22 * 60, 0, 0}},
		"one known and one unknown pause":         {[]uptime.URL{{Paused: []uptime.Span{{at(2), at(3)}}, Outages: []uptime.Outage{{Start: at(1), End: at(6), PausedFor: 3 * time.Hour}}}}, [3]int{2 * 60, 0, 0}},
		"an outage paused for longer than it was": {[]uptime.URL{{Outages: []uptime.Outage{{Start: at(1), End: at(2), PausedFor: 3 * time.Hour}}}}, [3]int{0, 0, 0}},
		"an outage that ends before it begins":    {[]uptime.URL{{Outages: []uptime.Outage{down(3, 2)}}}, [3]int{0, 0, 0}},
		"an outage of the future":                 {[]uptime.URL{{Outages: []uptime.Outage{down(70, 80)}}}, [3]int{0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := uptime.New(now.In(time.FixedZone("far", 9*3600)), 3)
			if !c.From().Equal(at(0)) {
				t.Errorf("the window begins at %v", c.From())
			}
			for _, u := range tt.urls {
				c.Add(u)
			}
			for range 2 { // reading changes nothing
				for i, d := range c.Days() {
					got := int(d.Minutes())
					if !d.Watched {
						got += idle
					}
					if got != tt.want[i] || !d.Date.Equal(at(float64(24*i))) || d.Date.Location() != time.UTC {
						t.Errorf("day %d is %+v, %d minutes, want %d", i, d, d.Minutes(), tt.want[i])
					}
				}
			}
		})
	}
}

// A day is watched when one of its turns was seen, and down for as long as that was seen.
func TestADayOnWhichNobodyLookedIsNeitherWatchedNorDown(t *testing.T) {
	t.Parallel()
	const idle, interval = -1, 30 * time.Minute
	for name, tt := range map[string]struct {
		outages []uptime.Outage
		gaps    []uptime.Span
		want    [3]int
	}{
		"all was seen":                         {nil, nil, [3]int{0, 0, 0}},
		"an hour was not":                      {nil, []uptime.Span{{at(30), at(31)}}, [3]int{0, 0, 0}},
		"a day, from its first turn on":        {nil, []uptime.Span{{at(24.3), at(48.3)}}, [3]int{0, idle, 0}},
		"and one turn of it was seen":          {nil, []uptime.Span{{at(24.3), at(30.3)}, {at(30.8), at(48.3)}}, [3]int{0, 0, 0}},
		"a day in two gaps":                    {nil, []uptime.Span{{at(36.3), at(48.3)}, {at(24.3), at(36.3)}}, [3]int{0, idle, 0}},
		"up to now":                            {nil, []uptime.Span{{at(24.3), at(60)}}, [3]int{0, idle, idle}},
		"an outage on a day that nobody saw":   {[]uptime.Outage{down(30, 32)}, []uptime.Span{{at(24.3), at(48.3)}}, [3]int{0, idle, 0}},
		"one that is open and not looked at":   {[]uptime.Outage{{Start: at(20), End: time.Time{}}}, []uptime.Span{{at(24), at(60)}}, [3]int{240, idle, idle}},
		"one that was seen for an hour before": {[]uptime.Outage{down(29, 40)}, []uptime.Span{{at(30), at(48.3)}}, [3]int{0, 60, 0}},
	} {
		c := uptime.New(at(60), 3)
		c.AddSeen(uptime.URL{Outages: tt.outages}, tt.gaps, interval)
		for i, d := range c.Days() {
			got := int(d.Minutes())
			if !d.Watched {
				got += idle
			}
			if got != tt.want[i] {
				t.Errorf("%s: day %d is %+v, want %d", name, i, d, tt.want[i])
			}
		}
	}
}

// cells is the oracle: three days and as much before and after them, minute by minute.
type cells struct{ watched, down [9 * 24 * 60]bool }

func (c *cells) index(t time.Time) int {
	return min(max(int(t.Sub(at(-72))/time.Minute), 0), len(c.down))
}

// add counts a URL minute by minute, up to now.
func (c *cells) add(u uptime.URL, now time.Time) {
	var paused, down [len(c.down)]bool
	for _, p := range u.Paused {
		for i := c.index(p.Start); i < c.index(p.End); i++ {
			paused[i] = true
		}
	}
	for _, o := range u.Outages {
		end := o.End
		if end.IsZero() {
			if end = now; !o.Suspended.IsZero() {
				end = o.Suspended
			}
		}
		var bad []int
		known := time.Duration(0)
		for i := c.index(o.Start); i < c.index(end); i++ {
			if paused[i] {
				known += time.Minute
			} else {
				bad = append(bad, i)
			}
		}
		unknown := int(max(0, o.PausedFor-known) / time.Minute)
		for _, i := range bad[:max(0, len(bad)-unknown)] {
			down[i] = true
		}
	}
	for i := range c.index(now) {
		c.down[i] = c.down[i] || down[i]
		c.watched[i] = c.watched[i] || down[i] || !paused[i] && i >= c.index(u.Since)
	}
}

func TestDaysAreTheSumOfTheirMinutes(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		minute := func() time.Time { return at(-72).Add(time.Duration(r.IntN(9*24*60)) * time.Minute) }
		span := func() uptime.Span {
			a, b := minute(), minute()
			if r.IntN(2) == 0 {
				b = a.Add(time.Duration(r.IntN(300)) * time.Minute)
			}
			if b.Before(a) {
				a, b = b, a
			}
			return uptime.Span{Start: a, End: b}
		}
		for round := range 100 {
			now := at(48).Add(time.Duration(1+r.IntN(24*60-1)) * time.Minute)
			var urls []uptime.URL
			var want cells
			for range r.IntN(5) {
				u := uptime.URL{Since: minute()}
				for range r.IntN(4) {
					u.Paused = append(u.Paused, span())
				}
				for range r.IntN(6) {
					s := span()
					o := uptime.Outage{Start: s.Start, End: s.End, PausedFor: time.Duration(r.IntN(3)*r.IntN(500)) * time.Minute}
					if r.IntN(4) == 0 {
						o.End, o.Suspended = time.Time{}, s.End
					}
					u.Outages = append(u.Outages, o)
				}
				urls = append(urls, u)
				want.add(u, now)
			}
			c := uptime.New(now, 3)
			for _, u := range urls {
				c.Add(u)
			}
			days := c.Days()
			for i, d := range days {
				first := want.index(at(float64(24 * i)))
				minutes := 0
				for _, is := range want.down[first : first+24*60] {
					if is {
						minutes++
					}
				}
				if watched := slices.Contains(want.watched[first:first+24*60], true); d.Down != time.Duration(minutes)*time.Minute || d.Watched != watched {
					t.Fatalf("round %d, day %d of %+v at %v: %+v, want %d minutes, watched %t", round, i, urls, now, d, minutes, watched)
				}
			}
			slices.Reverse(urls)
			again := uptime.New(now, 3)
			for _, u := range urls {
				again.Add(u)
			}
			if !slices.Equal(again.Days(), days) {
				t.Fatalf("round %d: the order of URLs matters: %+v and %+v", round, days, again.Days())
			}
		}
	})
}
