package lifecycle

import "time"

// Flap prevents floods of notifications: a site that has recovered twice within
// Policy.FlapWindow must be good for Policy.FlapHold before its recovery is reported.
// Until then it is one outage, however often the site comes and goes.
type Flap struct {
	// Recoveries are the last two reported recoveries, the newest first.
	Recoveries [2]time.Time
	// Good is when the current good stretch began; Agreed is set once a second node has
	// seen it. Both are set only while the site is Recovering.
	Good   time.Time
	Agreed bool
	// Relapses counts the good stretches of this outage that did not last.
	Relapses uint16
}

// Flapping reports whether a site that recovers at this moment has recovered too often.
func (f Flap) Flapping(at time.Time, p Policy) bool {
	second := f.Recoveries[1]
	return p.FlapWindow > 0 && !second.IsZero() && at.Sub(second) <= p.FlapWindow
}

// lasted reports whether the good stretch is long enough to count as a recovery.
func (f Flap) lasted(at time.Time, p Policy) bool {
	return !f.Flapping(at, p) || at.Sub(f.Good) >= p.FlapHold
}

// relapsed ends a good stretch.
func (f Flap) relapsed() Flap {
	if f.Agreed {
		f.Relapses++
	}
	f.Good, f.Agreed = time.Time{}, false
	return f
}

// recovered ends the outage.
func (f Flap) recovered(at time.Time) Flap {
	return Flap{Recoveries: [2]time.Time{at, f.Recoveries[0]}}
}
