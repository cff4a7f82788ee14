package judging

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// seconds lists how long the sites of these stories take to answer. A routine check waits
// 10 s, a re-check and a vote 20 s.
var seconds = []int{3, 9, 11, 14, 19, 21}

// slowStory is the story of a site that answers slowly from a turn on.
type slowStory struct {
	// plan sets up what happens before the turn.
	plan func(p *plan, turn time.Time)
	// turn is the time of the turn, from the beginning.
	turn time.Duration
	// before lists the statuses reported by then.
	before []check.Status
	// within is how soon a site that was reported down must be reported up.
	within time.Duration
	// undecided means that no verification comes to a decision.
	undecided bool
}

const twoMinutes = 2 * time.Minute

func slowStories() map[string]slowStory {
	down := func(p *plan, turn time.Time) { p.down[0] = []span{{p.begin.Add(5 * time.Minute), turn}} }
	return map[string]slowStory{
		"that was up": {plan: func(*plan, time.Time) {}, turn: 10 * time.Minute},
		"that was down": {
			plan: down, turn: 20 * time.Minute, before: []check.Status{check.StatusDown}, within: twoMinutes,
		},
		"that was confirmed down": {
			plan: down, turn: 80 * time.Minute,
			before: []check.Status{check.StatusDown, check.StatusConfirmedDown}, within: twoMinutes,
		},
		"that was down, with one checker": {
			plan: func(p *plan, turn time.Time) { down(p, turn); p.checkers = 1 },
			turn: 20 * time.Minute, before: []check.Status{check.StatusDown}, within: twoMinutes,
		},
		"that was down when the coordinator was started again": {
			plan: func(p *plan, turn time.Time) {
				down(p, turn)
				p.restarts = []time.Time{turn.Add(-time.Minute)}
			},
			turn: 20 * time.Minute, before: []check.Status{check.StatusDown}, within: twoMinutes,
		},
		"that was confirmed down when the coordinator was started again": {
			plan: func(p *plan, turn time.Time) {
				down(p, turn)
				p.restarts = []time.Time{turn.Add(-time.Minute)}
			},
			turn: 80 * time.Minute, before: []check.Status{check.StatusDown, check.StatusConfirmedDown}, within: twoMinutes,
		},
		"that was undecided because no veriflier answered": {
			plan: func(p *plan, turn time.Time) {
				down(p, turn)
				p.allBut(0, hanging, span{p.begin, p.end})
			},
			turn: 20 * time.Minute, undecided: true,
		},
		// The third outage of an hour ends when the site has been good for ten minutes.
		"that was down and flaps": {
			plan: func(p *plan, turn time.Time) {
				for i := range 3 {
					from := p.begin.Add(time.Duration(5+10*i) * time.Minute)
					p.down[0] = append(p.down[0], span{from, from.Add(5 * time.Minute)})
				}
			},
			turn:   30 * time.Minute,
			before: []check.Status{check.StatusDown, check.StatusRunning, check.StatusDown, check.StatusRunning, check.StatusDown},
			within: 10*time.Minute + twoMinutes,
		},
	}
}

// A site is up if it answers within the budget of a re-check: it is never reported down, and
// if it was reported down, it is soon reported up and never confirmed. A slower site is
// down, and stays down.
func TestASlowSiteIsJudgedAlikeOnTheWayDownAndOnTheWayUp(t *testing.T) {
	t.Parallel()
	for name, story := range slowStories() {
		for _, n := range seconds {
			t.Run(fmt.Sprintf("a site %s and answers within %d s", name, n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { story.run(t, time.Duration(n)*time.Second) })
			})
		}
	}
}

func (s slowStory) run(t *testing.T, takes time.Duration) {
	p := still()
	turn := p.begin.Add(s.turn)
	p.end = turn.Add(70 * time.Minute) // long enough for a report of status 2
	s.plan(&p, turn)
	p.lags = [][]lag{{{span{turn, p.end}, takes}}}
	w := newWorld(t, uint64(takes), p)
	w.run()

	told, want := w.book.told(0), s.want(takes)
	if !slices.Equal(statuses(told), want) {
		t.Fatalf("reported %v, want %v", statuses(told), want)
	}
	v, _ := w.engine.View(time.Now(), 1)
	if undecided := v.UndecidedReason != ""; undecided != (s.undecided && takes > check.VerifyTimeout) {
		t.Errorf("undecided: %t, because %q", undecided, v.UndecidedReason)
	}
	if len(want) > len(s.before) && takes <= check.VerifyTimeout {
		if late := told[len(told)-1].At.Sub(turn); late > s.within {
			t.Errorf("reported up %s after it was back, want at most %s", late, s.within)
		}
	}
}

// want returns the statuses that must be reported.
func (s slowStory) want(takes time.Duration) []check.Status {
	down := len(s.before) > 0
	switch {
	case takes > check.VerifyTimeout && !s.undecided:
		all := []check.Status{check.StatusDown, check.StatusConfirmedDown}
		if down && s.before[len(s.before)-1] == check.StatusConfirmedDown {
			all = nil
		} else if down {
			all = all[1:]
		}
		return slices.Concat(s.before, all)
	case takes <= check.VerifyTimeout && down:
		return slices.Concat(s.before, []check.Status{check.StatusRunning})
	}
	return s.before
}

func statuses(told []record.Change) (all []check.Status) {
	for _, c := range told {
		all = append(all, c.To)
	}
	return all
}
