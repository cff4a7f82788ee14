package maintenance

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

const (
	// minDuration and maxDuration bound a window.
	minDuration = time.Minute
	maxDuration = 31 * 24 * time.Hour
	// maxAhead bounds how far ahead the first window may be, maxPast how long ago.
	maxAhead = 10 * 366 * 24 * time.Hour
	maxPast  = 10 * 366 * 24 * time.Hour
)

// Window is one stretch of a maintenance.
type Window struct {
	MaintenanceID int64
	Start, End    time.Time
}

// Has reports whether a moment is in the window.
func (w Window) Has(at time.Time) bool { return !at.Before(w.Start) && at.Before(w.End) }

// Plan has the windows of one maintenance. NewPlan makes one; it does not change.
type Plan struct {
	record.Maintenance
	zone *time.Location
	// rule is nil for one window.
	rule *rule
}

// NewPlan reads the rule and the zone of a maintenance.
func NewPlan(m record.Maintenance) (*Plan, error) {
	zone, err := zoneOf(m.Zone)
	if err != nil {
		return nil, err
	}
	r, err := parseRule(m.Rule, zone)
	if err != nil {
		return nil, err
	}
	return &Plan{Maintenance: m, zone: zone, rule: r}, nil
}

// Each calls f with the windows in the order of their beginnings, until it returns false. It may
// leave out windows that end before a moment.
func (p *Plan) Each(from time.Time, f func(Window) bool) {
	if p.rule == nil {
		f(p.window(p.Start))
		return
	}
	// Two days are more than clocks are ever moved.
	old := wallOf(from, p.zone).Add(-p.Duration - 48*time.Hour)
	next, err := p.rule.days(p.rule.skip(wallOf(p.Start, p.zone), old))
	if err != nil {
		return // NewPlan has seen that there is none
	}
	for {
		wall, ok := next()
		switch {
		case !ok:
			return
		case wall.Before(old):
			continue
		}
		at := onWall(wall, p.zone)
		if at.Before(p.Start) {
			at = p.Start // it is the second of two moments at which the wall shows this
		}
		if u := p.rule.until; !u.IsZero() && at.After(u) || !f(p.window(at)) {
			return
		}
	}
}

// window returns the window that begins at a moment.
func (p *Plan) window(at time.Time) Window {
	w := Window{MaintenanceID: p.ID, Start: at.UTC(), End: at.Add(p.Duration).UTC()}
	if w.Has(p.Cut) {
		w.End = p.Cut.UTC()
	}
	return w
}

// Windows returns the windows of which a part is between two moments, at most most.
func (p *Plan) Windows(from, to time.Time, most int) (found []Window) {
	p.Each(from, func(w Window) bool {
		if !w.Start.Before(to) || len(found) == most {
			return false
		}
		if w.End.After(from) && w.Start.Before(w.End) {
			found = append(found, w)
		}
		return true
	})
	return found
}

// Next returns the window that is open at a moment, or else the next one; false when none is left.
func (p *Plan) Next(at time.Time) (next Window, ok bool) {
	p.Each(at, func(w Window) bool {
		next, ok = w, w.End.After(at)
		return !ok
	})
	return next, ok
}

// Check completes a maintenance that somebody makes or changes now, and refuses one that cannot be
// meant. It puts the beginning on the first window of the rule.
func Check(m record.Maintenance, now time.Time) (record.Maintenance, error) {
	m.Start, m.Duration = m.Start.UTC().Truncate(time.Second), m.Duration.Truncate(time.Second)
	switch {
	case m.Duration < minDuration, m.Duration > maxDuration:
		return m, refuse("duration", "must be from %v to 31 days, is %v", minDuration, m.Duration)
	case m.Start.Before(now.Add(-maxPast)), m.Start.After(now.Add(maxAhead)):
		return m, refuse("start_time", "must be within ten years of now")
	}
	p, err := NewPlan(m)
	if err != nil {
		return m, err
	}
	if first, ok := p.first(); ok {
		m.Start = first
	}
	if _, ok := p.Next(now); !ok {
		return m, refuse("start_time", "no window of the maintenance ends after now")
	}
	return m, nil
}

// first returns the beginning of the first window.
func (p *Plan) first() (at time.Time, ok bool) {
	p.Each(time.Time{}, func(w Window) bool {
		at, ok = w.Start, true
		return false
	})
	return at, ok
}
