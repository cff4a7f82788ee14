package schedule

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// MinInterval is the shortest interval; shorter ones are taken as this.
const MinInterval = time.Millisecond

// First is when a site is due for the first time: its next phase point strictly after
// now. A site's first check therefore comes within one interval.
func First(id check.SiteID, interval time.Duration, now time.Time) time.Time {
	return Next(id, interval, now)
}

// Next is when a site is due again: its next phase point strictly after now. Phase
// points that have passed are coalesced: they are not made up for.
func Next(id check.SiteID, interval time.Duration, now time.Time) time.Time {
	interval = max(interval, MinInterval)
	// UnixNano holds until the year 2262. How far now is past the last phase point, from 0 to under an interval.
	since := (time.Duration(now.UnixNano())%interval - phase(id, interval)) % interval
	if since < 0 {
		since += interval
	}
	return now.Add(interval - since)
}

// phase is where inside the interval a site stands: spread evenly, whatever the ids.
func phase(id check.SiteID, interval time.Duration) time.Duration {
	return time.Duration(mix(uint64(id)) % uint64(interval))
}

// mix scatters the bits of x (the finalizer of splitmix64). It must stay as it is:
// another one would move every site's phase.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
