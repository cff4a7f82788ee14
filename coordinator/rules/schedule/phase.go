package schedule

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// minInterval is the shortest interval; shorter ones count as this.
const minInterval = time.Millisecond

// Next returns when a site is due: its next phase point strictly after now. It skips phase
// points that have passed, and a new site's first check comes within one interval.
func Next(id check.SiteID, interval time.Duration, now time.Time) time.Time {
	interval = max(interval, minInterval)
	// since is how far now is past the last phase point: at least 0, and less than an
	// interval. UnixNano is valid until the year 2262.
	since := (time.Duration(now.UnixNano())%interval - phase(id, interval)) % interval
	if since < 0 {
		since += interval
	}
	return now.Add(interval - since)
}

// hurry is by how much quicker what was missed is made up for than it was to come.
const hurry = 4

// Missed returns when a site is due whose last phase point came between idle and now, while nobody
// made checks, and reports whether that is so. Such sites are due in the order of their phase
// points, in a fraction of the time that these took to pass.
func Missed(id check.SiteID, interval time.Duration, idle, now time.Time) (due time.Time, missed bool) {
	last := Next(id, interval, now).Add(-max(interval, minInterval))
	if !last.After(idle) {
		return time.Time{}, false
	}
	return now.Add(last.Sub(idle) / hurry), true
}

// phase returns a site's moment within its interval: spread evenly, whatever the ids.
func phase(id check.SiteID, interval time.Duration) time.Duration {
	return time.Duration(mix(uint64(id)) % uint64(interval))
}

// Phase returns a site's number among parts, 0 to parts-1: spread evenly, whatever the ids.
func Phase(id check.SiteID, parts uint64) uint64 { return mix(mix(uint64(id))) % parts }

// mix scatters the bits of x (the finalizer of splitmix64). It must stay as it is:
// another one would move every site's phase.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Turn returns the number of the phase point of a site that is nearest to a moment. Numbers of
// successive phase points are successive; a check that is due somewhat late still has the
// number of its turn.
func Turn(id check.SiteID, interval time.Duration, at time.Time) int64 {
	return TurnBefore(id, interval, at.Add(max(interval, minInterval)/2))
}

// TurnBefore returns the number of the last phase point of a site that is not after a moment.
func TurnBefore(id check.SiteID, interval time.Duration, at time.Time) int64 {
	interval = max(interval, minInterval)
	since := at.UnixNano() - int64(phase(id, interval))
	n := since / int64(interval)
	if since%int64(interval) < 0 {
		n--
	}
	return n
}

// TurnTime returns the phase point of a number; see Turn.
func TurnTime(id check.SiteID, interval time.Duration, n int64) time.Time {
	interval = max(interval, minInterval)
	return time.Unix(0, n*int64(interval)+int64(phase(id, interval)))
}
