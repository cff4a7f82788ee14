package checkers

import (
	"net/url"
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
	// unwell is since when self is not healthy, zero while it is; healed when self was
	// last healthy again, zero when it always was.
	unwell, healed time.Time
	// warned is when Contested last asked for a warning.
	warned time.Time
}

// warnEvery is the time between two warnings about the same name.
const warnEvery = time.Minute

// Contested notes that another process asked for the checker's name. It reports whether a
// warning is due: one a minute is enough.
func (c *Checker) Contested(now time.Time) bool {
	if !c.warned.IsZero() && now.Sub(c.warned) < warnEvery {
		return false
	}
	c.warned = now
	return true
}

// Fleet is all connected checkers. New makes one. It is not safe for concurrent use.
type Fleet struct {
	rule outlier.Rule
	byID map[dispatch.SessionID]*Checker
	// witnesses watch the results of checkers, by node. Invariant: one in quarantine stays
	// when its checker goes; the others have a checker that is connected.
	witnesses map[string]*outlier.Detector
	// lonely is when the last checker left; zero while there is one.
	lonely time.Time
}

// New makes a fleet without checkers at now.
func New(rule outlier.Rule, now time.Time) *Fleet {
	return &Fleet{rule: rule, byID: map[dispatch.SessionID]*Checker{}, witnesses: map[string]*outlier.Detector{}, lonely: now}
}

// Join adds a checker by its session.
func (f *Fleet) Join(s *dispatch.Session) {
	f.byID[s.ID()] = &Checker{Session: s, self: check.SelfCheck{Healthy: true}}
	f.lonely = time.Time{}
}

// Get finds a checker by its session; nil when it is not connected.
func (f *Fleet) Get(id dispatch.SessionID) *Checker { return f.byID[id] }

// Leave takes a checker off. Its quarantine outlives a reconnect.
func (f *Fleet) Leave(now time.Time, c *Checker) {
	delete(f.byID, c.ID())
	if f.trusts(c) && !f.connected(c.Node()) {
		delete(f.witnesses, c.Node())
	}
	if len(f.byID) == 0 {
		f.lonely = now
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

// Report takes a checker's self-check in, and answers whether its health has changed.
func (f *Fleet) Report(now time.Time, c *Checker, self check.SelfCheck) (changed bool) {
	changed = c.self.Healthy != self.Healthy
	c.self = self
	switch {
	case self.Healthy && !c.unwell.IsZero():
		c.unwell, c.healed = time.Time{}, now
	case !self.Healthy && c.unwell.IsZero():
		c.unwell = now
		// The failures of the last moments are explained, and no mark against it.
		delete(f.witnesses, c.Node())
	}
	return changed
}

// Another reports whether a checker other than a node's can be asked.
func (f *Fleet) Another(node string) bool {
	return f.any(func(c *Checker) bool { return c.Node() != node && !c.Draining() })
}

// AnotherSound reports whether a checker other than a node's can be asked, and is a witness.
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
	// WasGood: the site was up, or never checked, so that a failure surprises.
	WasGood bool
	// Sites is how many there are: of very many, some are looked at.
	Sites int
}

// Turn says that a checker came into quarantine, or out of it.
type Turn struct {
	In bool
	// Surprised of Seen networks brought it in.
	Surprised, Seen int
	// After is how long it was in.
	After time.Duration
}

// Judge says what a sighting counts as: a failure that is more likely the checker's own
// than the site's counts as unknown. The turn is nil when there is none.
func (f *Fleet) Judge(now time.Time, c *Checker, s *Sighting) (check.Outcome, *Turn) {
	o := s.Observation
	down := o.Outcome == check.OutcomeDown
	// A check that began while the checker was unwell may have failed for that reason.
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

// Of very many sites one in sampleOne is enough to know what share of the networks fails.
const (
	sampleFrom = 100_000
	sampleOne  = 8
)

// Saw shows a sighting to the witness that watches the checker, and answers whether the
// checker is trusted now. The turn is nil when that is as it was.
func (f *Fleet) Saw(now time.Time, c *Checker, s *Sighting) (trusted bool, turn *Turn) {
	if s.Sites >= sampleFrom && s.Site%sampleOne != 0 {
		return f.trusts(c), nil
	}
	w := f.witnesses[c.Node()]
	if w == nil {
		w = outlier.New(f.rule)
		f.witnesses[c.Node()] = w
	}
	host := ""
	if s.Observation.ResolvedAddress == "" {
		host = hostOf(s.URL)
	}
	before := w.Quarantined()
	surprise := s.WasGood && s.Observation.Outcome == check.OutcomeDown
	in := w.Observe(now, outlier.NetworkOf(s.Observation.ResolvedAddress, host), surprise)
	if in != before.IsZero() {
		return !in, nil
	}
	turn = &Turn{In: in}
	turn.Surprised, turn.Seen = w.Share()
	if !in {
		turn.After = now.Sub(before)
	}
	return !in, turn
}

// trusts reports whether a checker is not in quarantine.
func (f *Fleet) trusts(c *Checker) bool { return f.quarantined(c).IsZero() }

// quarantined is since when a checker is in quarantine; zero while it is trusted.
func (f *Fleet) quarantined(c *Checker) time.Time {
	if w := f.witnesses[c.Node()]; w != nil {
		return w.Quarantined()
	}
	return time.Time{}
}

// Status describes a checker.
type Status struct {
	Self check.SelfCheck
	// Unwell is since when it does not reach its own anchors, Quarantined since when its
	// failures count for nothing; zero while neither is so.
	Unwell, Quarantined time.Time
}

// Status describes a checker.
func (f *Fleet) Status(c *Checker) Status {
	return Status{Self: c.self, Unwell: c.unwell, Quarantined: f.quarantined(c)}
}

// Lonely is when the last checker left; zero while there is one.
func (f *Fleet) Lonely() time.Time { return f.lonely }

func hostOf(raw string) string {
	u, err := url.Parse(check.CompleteURL(raw))
	if err != nil {
		return ""
	}
	return u.Hostname()
}
