package judging

import (
	"math/rand/v2"
	"time"
)

// span is a period from..to.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// meets reports whether any of the spans overlaps from..to.
func meets(spans []span, from, to time.Time) bool {
	for _, s := range spans {
		if !s.from.After(to) && s.to.After(from) {
			return true
		}
	}
	return false
}

func within(spans []span, t time.Time) bool { return meets(spans, t, t) }

// mode is how a veriflier behaves for a while.
type mode uint8

const (
	honest    mode = iota
	slow           // honest, but takes up to the deadline and longer
	dead           // does not listen
	hanging        // never answers
	unhealthy      // votes DOWN with a failed self-check
	stranger       // answers under another name
	stale          // repeats its answer to the previous request
	busy           // refuses
	modes
)

// phase is a mode for a period.
type phase struct {
	span
	mode mode
}

// lag is how long a site takes to answer during a period.
type lag struct {
	span
	takes time.Duration
}

// plan is everything that will happen, made from a seed.
type plan struct {
	begin, end time.Time
	// down holds the true outages of each site; long holds those that must be reported.
	down [][]span
	long [][]span
	// lags holds the slow periods of each site.
	lags [][]lag
	// mistaken holds the periods in which checkers see a site fail although it works.
	mistaken [][]span
	phases   [][]phase // of each veriflier; honest between them
	restarts []time.Time
	failing  []span // of the store
	// checkers is the number of checkers; 0 means two.
	checkers int
}

// Chaos and quiet take turns: a long outage contains a quiet time, in which it must be
// found. Liars lie in both.
const (
	chaosTime = 12 * time.Minute
	quietTime = 12 * time.Minute
)

func newPlan(r *rand.Rand, begin time.Time, hours, sites, verifliers int) plan {
	p := plan{begin: begin, end: begin.Add(time.Duration(hours) * time.Hour)}
	between := func(from, to time.Duration) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
	for range sites {
		var down, long, mistaken []span
		for t := begin.Add(between(5*time.Minute, 40*time.Minute)); ; {
			s := span{t, t.Add(between(time.Second, 4*time.Minute))}
			if r.IntN(3) > 0 {
				s.to = s.from.Add(between(40*time.Minute, 90*time.Minute))
			}
			if s.to.Add(30 * time.Minute).After(p.end) {
				break
			}
			down = append(down, s)
			if s.to.Sub(s.from) >= 40*time.Minute {
				long = append(long, s)
			}
			t = s.to.Add(between(85*time.Minute, 2*time.Hour))
			if r.IntN(2) == 0 {
				m := s.to.Add(between(20*time.Minute, 70*time.Minute))
				mistaken = append(mistaken, span{m, m.Add(between(time.Minute, 12*time.Minute))})
			}
		}
		p.down, p.long, p.mistaken = append(p.down, down), append(p.long, long), append(p.mistaken, mistaken)
	}
	p.phases = make([][]phase, verifliers)
	for t := begin; t.Before(p.end); t = t.Add(chaosTime + quietTime) {
		quiet := t.Add(chaosTime)
		for v := range p.phases {
			for at := t.Add(between(0, time.Minute)); ; {
				ph := phase{span{at, at.Add(between(time.Second, 5*time.Minute))}, mode(r.IntN(int(modes)))}
				if ph.to.After(quiet) {
					break
				}
				p.phases[v] = append(p.phases[v], ph)
				at = ph.to.Add(between(time.Second, 2*time.Minute))
			}
		}
		if r.IntN(2) == 0 {
			p.restarts = append(p.restarts, t.Add(between(time.Second, chaosTime)))
		}
		if r.IntN(2) == 0 {
			at := t.Add(between(time.Second, chaosTime/2))
			p.failing = append(p.failing, span{at, at.Add(between(time.Second, chaosTime/2))})
		}
	}
	return p
}

func (p plan) mode(veriflier int, t time.Time) mode {
	for _, ph := range p.phases[veriflier] {
		if ph.has(t) {
			return ph.mode
		}
	}
	return honest
}

// lag returns how long a site takes to answer at a time.
func (p plan) lag(site int, at time.Time) time.Duration {
	if site >= len(p.lags) {
		return 0
	}
	for _, l := range p.lags[site] {
		if l.has(at) {
			return l.takes
		}
	}
	return 0
}
