package judging

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// seconds is how long the sites of these stories take to answer. A routine check waits
// for 10 s, a re-check and a vote for 20 s.
var seconds = []int{3, 9, 11, 14, 19, 21}

// slowStory is a site that begins to answer slowly, at the plan's turn.
type slowStory struct {
	// plan says what comes before, of a site that answers slowly from turn on.
	plan func(p *plan, turn time.Time)
	// turn is when, after the beginning.
	turn time.Duration
	// before is what has been told by then.
	before []check.Status
	// within is how soon a site that has been told down must be told up.
	within time.Duration
	// undecided says that no verification comes to a decision.
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
		"that was held because no veriflier answered": {
			plan: func(p *plan, turn time.Time) {
				down(p, turn)
				p.allBut(0, hanging, span{p.begin, p.end})
			},
			turn: 20 * time.Minute, undecided: true,
		},
		// The third outage of an hour is over when it has been good for ten minutes.
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

// A site is up if it answers within the budget of a re-check: it is never told down, and
// if it was told down, it is told up soon and never confirmed. Where it takes longer it is
// down, and stays so.
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
	p.end = turn.Add(70 * time.Minute) // in which status 2 would be told
	s.plan(&p, turn)
	p.lags = [][]lag{{{span{turn, p.end}, takes}}}
	w := newWorld(t, uint64(takes), p)
	w.run()

	told, want := w.book.told(0), s.want(takes)
	if !slices.Equal(statuses(told), want) {
		t.Fatalf("told %v, want %v", statuses(told), want)
	}
	v, _ := w.engine.View(time.Now(), 1)
	if held := v.HoldReason != ""; held != (s.undecided && takes > check.VerifyTimeout) {
		t.Errorf("held: %t, because %q", held, v.HoldReason)
	}
	if len(want) > len(s.before) && takes <= check.VerifyTimeout {
		if late := told[len(told)-1].At.Sub(turn); late > s.within {
			t.Errorf("told up %s after it was back, want at most %s", late, s.within)
		}
	}
}

// want is all that is to be told.
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

func statuses(told []store.Change) (all []check.Status) {
	for _, c := range told {
		all = append(all, c.To)
	}
	return all
}
