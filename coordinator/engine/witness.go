package engine

import (
	"net/url"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/storm"
	"github.com/Automattic/jetmon/internal/check"
)

// credible says what an observation by a checker counts as: a failure that is more
// likely the checker's own than the site's counts as unknown.
func (e *Engine) credible(now time.Time, ses *session, s *site, r *Result) check.Observation {
	o := r.Observation
	down := o.Outcome == check.OutcomeDown
	// One that began while the checker was not well may have come to nothing for that.
	if down && (!ses.self.Healthy || r.At.Add(-o.Timing.Total).Before(ses.healed)) {
		o.Outcome = check.OutcomeUnknown
		return o
	}
	if e.stormy(now, ses, s, r) && down {
		o.Outcome = check.OutcomeUnknown
	}
	return o
}

// stormy shows the check to the one who watches the checker, and answers whether the
// checker is in quarantine.
func (e *Engine) stormy(now time.Time, ses *session, s *site, r *Result) bool {
	o := &r.Observation
	if o.Outcome == check.OutcomeUnknown || !ses.self.Healthy {
		return false
	}
	good := s.State.Stage == lifecycle.Up || s.State.Stage == lifecycle.NeverChecked
	return e.shown(now, ses, r, s.Row.URL, good && o.Outcome == check.OutcomeDown)
}

// Of very many sites one in sampleOne is enough to know what share of the networks fails.
const (
	sampleFrom = 100_000
	sampleOne  = 8
)

func (e *Engine) sampled(id check.SiteID) bool {
	return e.sites.Len() < sampleFrom || id%sampleOne == 0
}

func (e *Engine) shown(now time.Time, ses *session, r *Result, url string, surprise bool) bool {
	if !e.sampled(r.Key.Site) {
		return !e.trusted(ses)
	}
	node, o := ses.hello.Node, &r.Observation
	w := e.witnesses[node]
	if w == nil {
		w = storm.New(e.o.Storm)
		e.witnesses[node] = w
	}
	host := ""
	if o.ResolvedAddress == "" {
		host = hostOf(url)
	}
	before := w.Quarantined()
	in := w.Observe(now, storm.NetworkOf(o.ResolvedAddress, host), surprise)
	if in == !before.IsZero() {
		return in
	}
	surprised, seen := w.Share()
	if in {
		e.o.Log.Error("quarantined: its failures jump across unrelated networks and count for nothing",
			"checker", node, "networks", surprised, "of", seen)
	} else {
		e.o.Log.Info("out of quarantine", "checker", node, "after", now.Sub(before).Round(time.Second))
	}
	return in
}

// elsewhere has a check done again by another node: the first one was no witness.
// It is done once, so that a fleet that is sick as a whole does not run hot.
func (e *Engine) elsewhere(now time.Time, s *site, node string) {
	if s.Urgent || s.State.Stage == lifecycle.Paused {
		return
	}
	for _, ses := range e.sessions {
		if ses.hello.Node != node && !ses.leaving && ses.self.Healthy && e.trusted(ses) {
			e.submitTo(now, s, node)
			return
		}
	}
}

// trusted says whether a checker is not in quarantine.
func (e *Engine) trusted(ses *session) bool {
	w := e.witnesses[ses.hello.Node]
	return w == nil || w.Quarantined().IsZero()
}

func hostOf(raw string) string {
	u, err := url.Parse(check.CompleteURL(raw))
	if err != nil {
		return ""
	}
	return u.Hostname()
}
