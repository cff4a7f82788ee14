package uptime_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/test/seeds"
)

const (
	interval = 5 * time.Minute
	good     = history.Code(100)
)

var site = uptime.Site{ID: 7, Interval: interval}

// turnAfter is the number of the first turn that is not before a time.
func turnAfter(at time.Time) int64 { return schedule.TurnBefore(site.ID, interval, at.Add(-1)) + 1 }

func turnTime(n int64) time.Time { return schedule.TurnTime(site.ID, interval, n) }

// strip has codes from the first turn after a time on.
func strip(from time.Time, codes ...history.Code) history.Strip {
	return history.Strip{Site: site.ID, Interval: interval, First: turnAfter(from), Codes: codes}
}

func TestTurnsOfWhichNothingIsKeptAreNone(t *testing.T) {
	t.Parallel()
	const turns = 24 * 60 / 5
	kept := strip(at(2), good, good, history.None, history.Failed, history.Unknown, good)
	day := hours(0, 24)
	first := kept.First
	span := func(from, to int64) uptime.Span {
		return uptime.Span{Start: turnTime(first + from), End: turnTime(first + to)}
	}
	start := uptime.Span{Start: turnTime(turnAfter(day.Start)), End: turnTime(first)}
	rest := uptime.Span{Start: turnTime(first + 6), End: turnTime(turnAfter(day.End))}
	for name, tt := range map[string]struct {
		url           uptime.URL
		strips        []history.Strip
		none, unknown uint64
		paused        uint64
		coverage      float64
		gaps          []uptime.Span
	}{
		"nothing":           {uptime.URL{}, nil, turns, 0, 0, 0, []uptime.Span{{Start: start.Start, End: rest.End}}},
		"some hours":        {uptime.URL{}, []history.Strip{kept}, turns - 5, 1, 0, 5.0 / turns, []uptime.Span{start, span(2, 3), span(4, 5), rest}},
		"watched later":     {uptime.URL{Since: turnTime(first - 2)}, []history.Strip{kept}, turns - 5 - uint64(first-2-turnAfter(day.Start)), 1, 0, 0, []uptime.Span{span(-2, 0), span(2, 3), span(4, 5), rest}},
		"watched from then": {uptime.URL{Since: turnTime(first).Add(time.Second)}, []history.Strip{kept}, turns - 5 - uint64(first-turnAfter(day.Start)), 1, 0, 0, []uptime.Span{span(2, 3), span(4, 5), rest}},
		"paused since":      {uptime.URL{Paused: []uptime.Span{{End: turnTime(first)}, {Start: rest.Start.Add(-time.Second), End: at(70)}}}, []history.Strip{kept}, 1, 1, turns - 6, 5.0 / 6, []uptime.Span{start, span(2, 3), span(4, 5), rest}},
		"paused in a gap":   {uptime.URL{Paused: []uptime.Span{span(2, 3)}}, []history.Strip{kept}, turns - 6, 1, 1, 5.0 / (turns - 1), nil},
		"paused throughout": {uptime.URL{Paused: []uptime.Span{{End: at(99)}}}, nil, 0, 0, turns, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tt.url.Lay(site, uptime.Rows(tt.strips, day), day)
			if got.Tally[history.None] != tt.none || got.Tally[history.Unknown] != tt.unknown || got.Tally[history.Paused] != tt.paused {
				t.Errorf("%d none, %d unknown, %d paused, want %+v", got.Tally[history.None], got.Tally[history.Unknown], got.Tally[history.Paused], tt)
			}
			if tt.gaps != nil && !slices.Equal(got.Gaps, tt.gaps) {
				t.Errorf("gaps %v, want %v", got.Gaps, tt.gaps)
			}
			share, ok := got.Coverage()
			if ok != (tt.none+tt.unknown > 0) || tt.coverage != 0 && math.Abs(share-tt.coverage) > 1e-12 {
				t.Errorf("coverage %v, %t, want %v", share, ok, tt.coverage)
			}
		})
	}
}

func TestRowsCutStripsToAPeriod(t *testing.T) {
	t.Parallel()
	s := strip(at(2), good, good, history.None, history.Unknown, history.Failed, good)
	rows := uptime.Rows([]history.Strip{s}, uptime.Span{Start: turnTime(s.First + 1), End: turnTime(s.First + 5)})
	want := history.Summary{
		Site: site.ID, Interval: interval, First: s.First + 1, Turns: 4,
		Counts: []history.Count{{Code: history.None, N: 1}, {Code: history.Unknown, N: 1}, {Code: history.Failed, N: 1}, {Code: good, N: 1}},
		Gaps:   []history.Gap{{First: s.First + 2, Turns: 2}},
	}
	if len(rows) != 1 || rows[0].First != want.First || rows[0].Turns != want.Turns || !slices.Equal(rows[0].Counts, want.Counts) || !slices.Equal(rows[0].Gaps, want.Gaps) {
		t.Errorf("%+v, want %+v", rows, want)
	}
	if rows := uptime.Rows([]history.Strip{s}, hours(5, 6)); len(rows) != 0 {
		t.Errorf("%+v outside the strip", rows)
	}
}

// A new interval has a new grid: between the last turn of the old one and the first of the new
// one there is no turn that is missing.
func TestAChangeOfIntervalIsNoGap(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 4}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		for range 500 {
			intervals := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 7 * time.Minute}
			was, is := intervals[r.IntN(4)], intervals[r.IntN(4)]
			if was == is {
				continue
			}
			change := at(2).Add(time.Duration(r.IntN(3600)) * time.Second)
			strip := func(interval time.Duration, from, to time.Time) history.Strip {
				s := history.Strip{Site: site.ID, Interval: interval, First: schedule.TurnBefore(site.ID, interval, from.Add(-1)) + 1}
				for n := s.First; schedule.TurnTime(site.ID, interval, n).Before(to); n++ {
					s.Codes = append(s.Codes, good)
				}
				return s
			}
			// The scheduler's next turn under the new interval is the first one after the change.
			strips := []history.Strip{strip(was, at(0), change), strip(is, change, at(6))}
			got := uptime.URL{}.Lay(site, uptime.Rows(strips, hours(0, 6)), hours(0, 6))
			if got.Tally[history.None] != 0 || len(got.Gaps) != 0 {
				t.Fatalf("from %v to %v at %v: %d none, gaps %v", was, is, change, got.Tally[history.None], got.Gaps)
			}
		}
	})
}

// result is what a turn would have shown: good, an outage that the verifliers confirm, or an
// alarm that they reject.
type result uint8

const (
	isGood result = iota
	isDown
	isRejected
)

// tale is three days of a site as they were, of which we see some.
type tale struct {
	first   int64
	results []result
	paused  []uptime.Span
	planned []uptime.Span
}

func newTale(r *rand.Rand) *tale {
	x := &tale{first: turnAfter(at(0))}
	is := isGood
	for range 3 * 24 * 12 {
		switch {
		case is != isGood && r.IntN(6) == 0:
			is = isGood
		case is == isGood && r.IntN(15) == 0:
			is = result(1 + r.IntN(2))
		}
		x.results = append(x.results, is)
	}
	for range r.IntN(3) {
		start := at(72 * r.Float64())
		x.paused = append(x.paused, uptime.Span{Start: start, End: start.Add(time.Duration(r.IntN(5 * int(time.Hour))))})
		start = at(72 * r.Float64())
		x.planned = append(x.planned, uptime.Span{Start: start, End: start.Add(time.Duration(r.IntN(5 * int(time.Hour))))})
	}
	return x
}

func (x *tale) pausedAt(at time.Time) bool {
	return slices.ContainsFunc(x.paused, func(p uptime.Span) bool { return !at.Before(p.Start) && at.Before(p.End) })
}

// told is what we keep when we fail in the turns of blind, by their code: the codes, and the
// outages. Taken counts the turns in which an outage that we did not see end was open, and an
// alarm came that would have been rejected.
func (x *tale) told(blind map[int]history.Code) (codes []history.Code, u uptime.URL, taken int) {
	u = uptime.URL{Since: at(-1), Paused: x.paused}
	var start time.Time
	open := false
	for i, is := range x.results {
		at := turnTime(x.first + int64(i))
		code, failed := blind[i]
		if x.pausedAt(at) {
			code, failed = history.None, true
		}
		if failed {
			codes = append(codes, code)
			continue
		}
		seen := at.Add(4 * time.Second)
		if is == isGood {
			if open {
				u.Outages[len(u.Outages)-1].End = seen
			}
			codes, start, open = append(codes, good), time.Time{}, false
			continue
		}
		codes = append(codes, history.Failed)
		if start.IsZero() {
			start = seen
		}
		if is == isDown && !open {
			u.Outages = append(u.Outages, uptime.Outage{Start: start, Confirmed: seen.Add(40 * time.Second), Maintenance: x.planned})
			open = true
		}
		if open && is == isRejected {
			taken++
		}
	}
	return codes, u, taken
}

// stats is what is said of a period when we failed in the turns of blind.
func (x *tale) stats(period uptime.Span, blind map[int]history.Code) (s uptime.Stats, turns uptime.Turns, taken int) {
	codes, u, taken := x.told(blind)
	strips := []history.Strip{{Site: site.ID, Interval: interval, First: x.first, Codes: codes}}
	turns = u.Lay(site, uptime.Rows(strips, hours(0, 72)), hours(0, 72))
	s = u.Over(site, period, at(72), turns.Gaps)
	return s, u.Lay(site, uptime.Rows(strips, period), period), taken
}

// Whatever we fail to see, and whatever that does to the outages that are recorded, a site's
// uptime does not fall. Only one thing is not in our hands: whether an outage whose end we
// missed is over when an alarm comes that would have been rejected.
func TestNoFailureOfOursLowersTheUptimeOfASite(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		fewer, same := 0, 0
		for round := range 300 {
			x := newTale(r)
			few, more := map[int]history.Code{}, map[int]history.Code{}
			fail := func(into map[int]history.Code) {
				for range r.IntN(10) {
					code, from := history.Code(r.IntN(2)), r.IntN(len(x.results))
					for i := from; i < min(len(x.results), from+1+r.IntN(30)); i++ {
						if _, already := few[i]; !already {
							into[i] = code
						}
					}
				}
			}
			fail(few)
			for i, code := range few {
				more[i] = code
			}
			fail(more)
			start := at(60 * r.Float64())
			period := uptime.Span{Start: start, End: start.Add(time.Minute + time.Duration(r.IntN(int(50*time.Hour))))}
			period.End = period.Start.Add(min(period.End.Sub(period.Start), at(72).Sub(period.Start)))
			was, turns, takenFew := x.stats(period, few)
			is, less, takenMore := x.stats(period, more)
			slack := time.Duration(max(0, takenMore-takenFew)) * interval
			before, _ := was.Uptime()
			after, ok := is.Uptime()
			if is.Down > was.Down+slack || slack == 0 && ok && after < before-1e-12 {
				t.Fatalf("round %d: uptime over %v fell from %v to %v, downtime from %v to %v, as we failed in %v, and then in %v",
					round, period, before, after, was.Down, is.Down, few, more)
			}
			if is.Down < was.Down {
				fewer++
			} else {
				same++
			}
			checkTurns(t, period, &turns)
			checkTurns(t, period, &less)
			most, _ := turns.Coverage()
			least, _ := less.Coverage()
			if least > most+1e-12 {
				t.Fatalf("round %d: coverage rose from %v to %v", round, most, least)
			}
		}
		if fewer < 20 || same < 20 {
			t.Errorf("downtime was less in %d rounds and the same in %d", fewer, same)
		}
	})
}

// checkTurns checks that each turn of a period is counted once.
func checkTurns(t *testing.T, period uptime.Span, turns *uptime.Turns) {
	t.Helper()
	sum := uint64(0)
	for _, n := range turns.Tally {
		sum += n
	}
	if want := uint64(turnAfter(period.End) - turnAfter(period.Start)); sum != want {
		t.Fatalf("%d turns are counted in %v, there are %d", sum, period, want)
	}
}

// Single turns come to what Lay counts, whatever is kept, in pauses and before a URL is watched.
// Only of a gap with turns that could not tell, Lay does not know which of its turns these are.
func TestTurnsAreWhatLayCounts(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 4}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 4))
		for range 200 {
			u := uptime.URL{}
			if r.IntN(2) == 0 {
				u.Since = at(20 * r.Float64())
			}
			for range r.IntN(4) {
				start := 70 * r.Float64()
				u.Paused = append(u.Paused, hours(start, start+5*r.Float64()))
			}
			var strips []history.Strip
			for from := 70 * r.Float64(); from < 70; from += 4 + 20*r.Float64() {
				s := strip(at(from))
				for range 1 + r.IntN(45) {
					s.Codes = append(s.Codes, []history.Code{history.None, history.None, history.Failed, good}[r.IntN(4)])
				}
				strips = append(strips, s)
			}
			start := 60 * r.Float64()
			period := hours(start, start+10*r.Float64())
			want := u.Lay(site, uptime.Rows(strips, period), period)
			var got history.Tally
			last := period.Start
			for turn := range u.Turns(site, strips, period) {
				got[turn.Code]++
				if turn.Start.Before(last) || !turn.Start.Before(period.End) {
					t.Fatalf("a turn at %v after %v in %v", turn.Start, last, period)
				}
				last = turn.End
			}
			if got != want.Tally {
				t.Fatalf("%d turns, %d none, %d paused; Lay counts %d, %d, %d: %v of %+v", got.Turns(), got[history.None], got[history.Paused],
					want.Tally.Turns(), want.Tally[history.None], want.Tally[history.Paused], period, u)
			}
			for range u.Turns(site, strips, period) {
				break // and it may be left
			}
		}
	})
}
