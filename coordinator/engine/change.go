package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// Terms are what may change while the engine works.
type Terms struct {
	Policy lifecycle.Policy
	// Interval and Pages are as in Options.
	Interval time.Duration
	Pages    check.PageRule
	// TLSErrors is as in Options.
	TLSErrors check.TLSErrors
}

// Change replaces the terms. Each site follows them from its next step on: a turn or
// re-check that is arranged already comes when it was to come.
func (e *Engine) Change(t Terms) {
	e.mu.Lock()
	defer e.release()
	e.o.Policy, e.o.Interval, e.o.Pages = t.Policy, t.Interval, t.Pages
	e.cases.flapWindow = t.Policy.FlapWindow
	e.judge.policy, e.judge.pace, e.judge.pages = t.Policy, pace(t.Interval), pageChecks(t.Pages)
	e.o.TLSErrors, e.judge.tlsErrors, e.deal.tlsErrors = t.TLSErrors, t.TLSErrors, t.TLSErrors
	e.watch.pace = pace(t.Interval)
	e.deal.pace, e.deal.pages = pace(t.Interval), pageChecks(t.Pages)
}

// Policy returns the present policy.
func (e *Engine) Policy() lifecycle.Policy {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.o.Policy
}

// Interval returns the interval in force for a site, given its own.
func (e *Engine) Interval(own time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return pace(e.o.Interval).of(own)
}
