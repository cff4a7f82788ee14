package checkers

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/internal/check"
)

// Checker is one connected checker.
type Checker struct {
	*dispatch.Session
	// self is its newest self-check.
	self check.SelfCheck
	// unhealthy is when self became unhealthy, zero while it is healthy; healed is when it
	// last became healthy again, zero if it always was.
	unhealthy, healed time.Time
	// warned is when Contested last asked for a warning.
	warned time.Time
}

// warnEvery is the time between two warnings about the same name.
const warnEvery = time.Minute

// Contested records that another process claimed the checker's name. It reports whether a
// warning is due: one a minute is enough.
func (c *Checker) Contested(now time.Time) bool {
	if !c.warned.IsZero() && now.Sub(c.warned) < warnEvery {
		return false
	}
	c.warned = now
	return true
}

// Fleet holds the connected checkers. New makes one. It is not safe for concurrent use.
type Fleet struct {
	rule outlier.Rule
	byID map[dispatch.SessionID]*Checker
	// detectors watch the results of checkers, by node. Invariant: a detector in quarantine
	// outlives its checker; every other detector has a connected checker.
	detectors map[string]*outlier.Detector
	// empty is when the last checker left; zero while one is connected.
	empty time.Time
}

// New makes a fleet that has no checkers at now.
func New(rule outlier.Rule, now time.Time) *Fleet {
	return &Fleet{rule: rule, byID: map[dispatch.SessionID]*Checker{}, detectors: map[string]*outlier.Detector{}, empty: now}
}

// Join adds a checker by its session.
func (f *Fleet) Join(s *dispatch.Session) {
	f.byID[s.ID()] = &Checker{Session: s, self: check.SelfCheck{Healthy: true}}
	f.empty = time.Time{}
}

// Get returns the checker of a session; nil when it is not connected.
func (f *Fleet) Get(id dispatch.SessionID) *Checker { return f.byID[id] }

// Leave removes a checker. Its quarantine outlives a reconnect.
func (f *Fleet) Leave(now time.Time, c *Checker) {
	delete(f.byID, c.ID())
	if f.trusts(c) && !f.connected(c.Node()) {
		delete(f.detectors, c.Node())
	}
	if len(f.byID) == 0 {
		f.empty = now
	}
}

func (f *Fleet) connected(node string) bool {
	for _, c := range f.byID {
		if c.Node() == node {
			return true
		}
	}
	return false
}

// Report records a checker's self-check, and reports whether its health has changed.
func (f *Fleet) Report(now time.Time, c *Checker, self check.SelfCheck) (changed bool) {
	changed = c.self.Healthy != self.Healthy
	c.self = self
	switch {
	case self.Healthy && !c.unhealthy.IsZero():
		c.unhealthy, c.healed = time.Time{}, now
	case !self.Healthy && c.unhealthy.IsZero():
		c.unhealthy = now
		// The self-check explains the latest failures: they do not count against the checker.
		delete(f.detectors, c.Node())
	}
	return changed
}

// Another reports whether a checker on another node can take a check.
func (f *Fleet) Another(node string) bool {
	return f.any(func(c *Checker) bool { return c.Node() != node && !c.Draining() })
}

// AnotherSound reports whether a trusted, healthy checker on another node can take a check.
func (f *Fleet) AnotherSound(node string) bool {
	return f.any(func(c *Checker) bool { return c.Node() != node && !c.Draining() && c.self.Healthy && f.trusts(c) })
}

func (f *Fleet) any(fits func(*Checker) bool) bool {
	for _, c := range f.byID {
		if fits(c) {
			return true
		}
	}
	return false
}

// Sighting is one result of a checker.
type Sighting struct {
	Site check.SiteID
	URL  string
	// At is when the check ended.
	At          time.Time
	Observation *check.Observation
	// WasGood means that the site was up, or never checked, so that a failure surprises.
	WasGood bool
	// Sites is the number of all sites: when there are very many, the detector samples.
	Sites int
}

// Turn is the start or the end of a checker's quarantine.
type Turn struct {
	// In is set at the start.
	In bool
	// Surprised of Seen networks caused it.
	Surprised, Seen int
	// After is how long the quarantine lasted, set at its end.
	After time.Duration
}

// Judge returns the outcome that a sighting counts as: a failure that is more likely the
// checker's own than the site's counts as UNKNOWN. The turn is nil unless a quarantine
// starts or ends.
func (f *Fleet) Judge(now time.Time, c *Checker, s *Sighting) (check.Outcome, *Turn) {
	o := s.Observation
	down := o.Outcome == check.OutcomeDown
	// A check that began while the checker was unhealthy may have failed for that reason.
	if down && (!c.self.Healthy || s.At.Add(-o.Timing.Total).Before(c.healed)) {
		return check.OutcomeUnknown, nil
	}
	if o.Outcome == check.OutcomeUnknown || !c.self.Healthy {
		return o.Outcome, nil
	}
	trusted, turn := f.Saw(now, c, s)
	if down && !trusted {
		return check.OutcomeUnknown, turn
	}
	return o.Outcome, turn
}

// From sampleFrom sites on, the detector sees one site in sampleOne: that is enough to
// know what share of the networks fails.
const (
	sampleFrom = 100_000
	sampleOne  = 8
)

// Saw feeds a sighting to the checker's detector, and reports whether the checker is
// trusted now. The turn is nil when that has not changed.
func (f *Fleet) Saw(now time.Time, c *Checker, s *Sighting) (trusted bool, turn *Turn) {
	if s.Sites >= sampleFrom && s.Site%sampleOne != 0 {
		return f.trusts(c), nil
	}
	d := f.detectors[c.Node()]
	if d == nil {
		d = outlier.New(f.rule)
		f.detectors[c.Node()] = d
	}
	host := ""
	if s.Observation.ResolvedAddress == "" {
		host = hostOf(s.URL)
	}
	before := d.Quarantined()
	surprise := s.WasGood && s.Observation.Outcome == check.OutcomeDown
	in := d.Observe(now, outlier.NetworkOf(s.Observation.ResolvedAddress, host), surprise)
	if in != before.IsZero() {
		return !in, nil
	}
	turn = &Turn{In: in}
	turn.Surprised, turn.Seen = d.Share()
	if !in {
		turn.After = now.Sub(before)
	}
	return !in, turn
}

// trusts reports whether a checker is not in quarantine.
func (f *Fleet) trusts(c *Checker) bool { return f.quarantined(c).IsZero() }

// quarantined returns the start of a checker's quarantine; zero while it is trusted.
func (f *Fleet) quarantined(c *Checker) time.Time {
	if d := f.detectors[c.Node()]; d != nil {
		return d.Quarantined()
	}
	return time.Time{}
}

// Status is the health of a checker and the trust in it.
type Status struct {
	Self check.SelfCheck
	// UnhealthySince is when the checker lost its anchors, Quarantined when its quarantine
	// started; zero while the checker is healthy, or trusted.
	UnhealthySince, Quarantined time.Time
}

// Status returns the status of a checker.
func (f *Fleet) Status(c *Checker) Status {
	return Status{Self: c.self, UnhealthySince: c.unhealthy, Quarantined: f.quarantined(c)}
}

// EmptySince returns when the last checker left; zero while one is connected.
func (f *Fleet) EmptySince() time.Time { return f.empty }

func hostOf(raw string) string {
	u, err := check.ParseURL(check.CompleteURL(raw))
	if err != nil {
		return ""
	}
	return u.Host
}
