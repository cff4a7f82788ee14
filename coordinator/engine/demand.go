package engine

import (
	"errors"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// Why a site is not checked on demand.
var (
	ErrUnwatched  = errors.New("the site is not watched here")
	ErrPaused     = errors.New("the site is paused")
	ErrNoCheckers = errors.New("no checker is connected")
	ErrDemands    = errors.New("too many callers wait for checks")
)

// maxWaiting bounds the callers that wait for checks on demand.
const maxWaiting = 1000

// Demand is a check of a site beside its schedule, for which callers wait. All who demand a check
// of the site meanwhile share it.
type Demand struct {
	site    check.SiteID
	waiting int
	done    chan struct{}
	seen    check.Observation
}

// Done is closed when the check has ended.
func (d *Demand) Done() <-chan struct{} { return d.done }

// Seen returns what the check saw, once Done is closed.
func (d *Demand) Seen() check.Observation { return d.seen }

// demands are those that callers wait for, by site.
type demands struct {
	open    map[check.SiteID]*Demand
	waiting int
}

// Demand has a site checked now, unless a check of it is on its way: its observation counts as
// any other. A site in the middle of a verdict is checked when that wants it. The caller waits
// for Done, asks with Renew now and then, and ends with Waive.
func (e *Engine) Demand(now time.Time, id check.SiteID) (*Demand, error) {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	if e.demands.waiting >= maxWaiting {
		return nil, ErrDemands
	}
	if err := e.urge(m, id); err != nil {
		return nil, err
	}
	d := e.demands.open[id]
	if d == nil {
		d = &Demand{site: id, done: make(chan struct{})}
		e.demands.open[id] = d
	}
	d.waiting++
	e.demands.waiting++
	return d, nil
}

// Renew has the check made again if it was withdrawn, or found no room. It reports why there will
// be none.
func (e *Engine) Renew(now time.Time, d *Demand) error {
	m := e.hand.moment(now)
	e.mu.Lock()
	defer e.release()
	if e.demands.open[d.site] != d {
		return nil // it has ended
	}
	return e.urge(m, d.site)
}

// Waive ends the wait of one caller.
func (e *Engine) Waive(d *Demand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.demands.waiting--
	if d.waiting--; d.waiting == 0 && e.demands.open[d.site] == d {
		delete(e.demands.open, d.site)
	}
}

// urge submits a check of a site. The schedule goes on as if it had not.
func (e *Engine) urge(m moment, id check.SiteID) error {
	s := e.cases.find(id)
	switch {
	case s == nil:
		return ErrUnwatched
	case s.State.Stage == lifecycle.Paused:
		return ErrPaused
	case !e.fleet.EmptySince().IsZero():
		return ErrNoCheckers
	}
	if s.atRest() {
		e.judge.submit(m, s, dispatch.Check{})
		e.cases.settle(m.Time, s)
		e.deal.assign(m.Time)
	}
	return nil
}

// atRest reports whether another check does not come between those that a verdict rests on:
// failures in quick succession prove little.
func (s *site) atRest() bool {
	switch s.State.Stage {
	case lifecycle.NeverChecked, lifecycle.Up, lifecycle.Down, lifecycle.ConfirmedDown:
		return true
	case lifecycle.Suspect:
		return s.State.Held
	}
	return false
}

// answer ends the demand for a check of a site, if there is one.
func (d *demands) answer(id check.SiteID, seen *check.Observation) {
	if open := d.open[id]; open != nil {
		delete(d.open, id)
		open.seen = *seen
		close(open.done)
	}
}
