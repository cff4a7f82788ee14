package history_test

import (
	"math/rand/v2"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// day is the day of the tests.
var day = history.DayOf(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))

var intervals = []time.Duration{time.Second, 7 * time.Second, time.Minute, 5 * time.Minute, time.Hour, history.MaxInterval}

var regions = []string{"", "europe", "asia", "america"}

// randomCode returns a code that may be stored; None seldom.
func randomCode(rng *rand.Rand) history.Code {
	if n := rng.IntN(20); n <= int(history.Maintenance) {
		return history.Code(n)
	}
	return history.Took(time.Duration(1+rng.IntN(70_000)) * time.Millisecond)
}

// randomSheet makes a sheet of some sites on a day, whose intervals may change, with strips of
// up to the given turns.
func randomSheet(rng *rand.Rand, turns int) *history.Sheet {
	s := &history.Sheet{Regions: regions[:1+rng.IntN(len(regions))]}
	least := uint8(min(rng.IntN(2), len(s.Regions)-1)) // 1 when nearly each check has a region
	site := check.SiteID(rng.IntN(1 << 40))
	for range rng.IntN(30) {
		site += check.SiteID(1 + rng.IntN(1000))
		from := day.Start().Add(time.Duration(rng.IntN(3600)) * time.Second)
		for range 1 + rng.IntN(3) {
			x := history.Strip{Site: site, Interval: intervals[rng.IntN(len(intervals))]}
			x.First = schedule.TurnBefore(site, x.Interval, from) + 1 + rng.Int64N(3)
			for range 1 + rng.IntN(turns) {
				x.Codes = append(x.Codes, randomCode(rng))
				if x.Codes[len(x.Codes)-1] == history.None {
					x.Regions = append(x.Regions, 0)
				} else {
					x.Regions = append(x.Regions, least+uint8(rng.IntN(len(s.Regions)-int(least))))
				}
			}
			if !anyOf(x.Regions) || rng.IntN(4) == 0 {
				x.Regions = nil
			}
			s.Strips = append(s.Strips, x)
			from = x.Start(len(x.Codes) - 1)
		}
	}
	return s
}

func anyOf(regions []uint8) bool {
	for _, r := range regions {
		if r != 0 {
			return true
		}
	}
	return false
}

// randomSummaries makes summaries that are right in themselves.
func randomSummaries(rng *rand.Rand, turns int) *history.Summaries {
	first, _ := day.Hours()
	s := &history.Summaries{Until: first + history.Hour(rng.IntN(25))}
	site := check.SiteID(1)
	for range rng.IntN(30) {
		site += check.SiteID(rng.IntN(1000))
		site++
		x := history.Summary{Site: site, Interval: intervals[rng.IntN(len(intervals))], Week: randomCode(rng)}
		x.First = schedule.TurnBefore(site, x.Interval, day.Start()) + 1
		var counts [256]uint32
		lost := false
		for range 1 + rng.IntN(turns) {
			c := randomCode(rng)
			counts[c]++
			if is := c == history.None || c == history.Unknown; !is {
				lost = false
			} else if lost {
				x.Gaps[len(x.Gaps)-1].Turns++
			} else {
				lost = true
				x.Gaps = append(x.Gaps, history.Gap{First: x.First + int64(x.Turns), Turns: 1})
			}
			x.Turns++
		}
		for c, n := range counts {
			if n > 0 {
				x.Counts = append(x.Counts, history.Count{Code: history.Code(c), N: n})
			}
		}
		s.Sites = append(s.Sites, x)
	}
	return s
}

func randomFleet(rng *rand.Rand) *history.Fleet {
	f := new(history.Fleet)
	for range rng.IntN(100) {
		f[rng.IntN(24)][randomCode(rng)] = rng.Uint64N(1 << rng.IntN(63))
	}
	return f
}
