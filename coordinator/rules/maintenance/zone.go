package maintenance

import (
	"time"
	_ "time/tzdata" // a host need not have the names of time zones
)

// maxZone bounds the name of a time zone, in bytes.
const maxZone = 64

// zoneOf returns a time zone by its name in the database of IANA.
func zoneOf(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" || len(name) > maxZone {
		return nil, noZone(name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, noZone(name)
	}
	return zone, nil
}

func noZone(name string) error {
	return refuse("time_zone", "%q is no time zone, as Europe/Berlin is", clip(name, maxQuote))
}

// wallOf returns the time of the wall in a zone, as if that were UTC.
func wallOf(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

// onWall returns the moment at which the wall in a zone shows a time: the first, where there are
// two, and where there is none, as by the clock before it was put forward.
func onWall(wall time.Time, zone *time.Location) time.Time {
	near := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	begin, end := near.ZoneBounds()
	candidates := []time.Time{near, byOffsetAt(wall, near)}
	if !begin.IsZero() {
		candidates = append(candidates, byOffsetAt(wall, begin.Add(-time.Second)))
	}
	if !end.IsZero() {
		candidates = append(candidates, byOffsetAt(wall, end))
	}
	var first, last time.Time
	for _, c := range candidates {
		c = c.In(zone)
		if wallOf(c, zone).Equal(wall) && (first.IsZero() || c.Before(first)) {
			first = c
		}
		if d := c.Sub(near); d > -maxShift && d < maxShift && c.After(last) {
			last = c
		}
	}
	if !first.IsZero() {
		return first
	}
	return last
}

// maxShift is more than clocks are ever put forward at once.
const maxShift = 25 * time.Hour

// byOffsetAt reads a time of the wall by the offset of a zone at a moment.
func byOffsetAt(wall, at time.Time) time.Time {
	_, offset := at.Zone()
	return wall.Add(-time.Duration(offset) * time.Second)
}
