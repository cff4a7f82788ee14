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

// phase returns a site's moment within its interval: spread evenly, whatever the ids.
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
