package history

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Day is a day of UTC: days since 1970. Hour is an hour of UTC: hours since then.
type (
	Day  int32
	Hour int32
)

// DayOf returns the day of a moment.
func DayOf(t time.Time) Day { return Day(floorDiv(t.Unix(), 24*60*60)) }

// HourOf returns the hour of a moment.
func HourOf(t time.Time) Hour { return Hour(floorDiv(t.Unix(), 60*60)) }

// Start returns the midnight with which a day begins.
func (d Day) Start() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// Start returns the moment with which an hour begins.
func (h Hour) Start() time.Time { return time.Unix(int64(h)*60*60, 0).UTC() }

// Hours returns the first hour of a day, and the first one after it.
func (d Day) Hours() (first, end Hour) { return Hour(d) * 24, Hour(d+1) * 24 }

// Day returns the day of an hour.
func (h Hour) Day() Day { return Day(floorDiv(int64(h), 24)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Part numbers the groups of sites whose days are kept together: those of a bucket whose ids
// have all but the lowest PartBits bits in common.
type Part int64

// PartBits is how many ids a part has room for, as a power of two. At most one in 512 of them is
// in a bucket, as a rule.
const PartBits = 16

// PartOf returns the part of a site.
func PartOf(id check.SiteID) Part { return Part(id >> PartBits) }

// Count says how often a code came.
type Count struct {
	Code Code
	N    uint32
}

// Gap is a row of turns that tell nothing of a site, by number: None or Unknown.
type Gap struct {
	First int64
	Turns int
}

// Summary sums up the turns of one site in a part of a day, under one interval. A day on which
// the interval changed has several.
type Summary struct {
	Site     check.SiteID
	Interval time.Duration
	// First is the number of the first turn, Turns how many there are.
	First int64
	Turns int
	// Counts are those of the codes that came, by rising code. Their sum is Turns.
	Counts []Count
	// Gaps are by rising turn; each is as long as it can be.
	Gaps []Gap
	// Week is the median of the week that ends with the day, None when there is none.
	Week Code
}
