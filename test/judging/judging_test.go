package judging

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// foundWithin bounds how long an outage may go unreported. In quiet time that takes an
// interval, the re-checks, and a verification that was open when the quiet time began.
const foundWithin = 2*chaosTime + quietTime

// No sequence of losses, lies, delays, strangers, restarts and store failures reports a
// false outage, or misses one that is long enough to be found.
func TestReportsAreTrueWhateverHappens(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		pairs := [][]lie{{alwaysDown, alwaysDown}, {alwaysUp, alwaysUp}, {alwaysDown, alwaysUp}, {none, none}}
		for i, lies := range pairs {
			seed := seed + uint64(i)
			t.Run(fmt.Sprintf("lies %v", lies), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newPlan(rand.New(rand.NewPCG(seed, 200)), time.Now(), 24, 4, 6)
					w := newWorld(t, seed, p, lies...)
					w.run()
					outages := 0
					for site := range p.down {
						w.judge(site)
						outages += len(p.long[site])
					}
					if outages < 5 {
						t.Errorf("only %d long outages were planned", outages)
					}
					if n := len(w.book.ballots()); n == 0 {
						t.Error("every ballot confirmed an outage: the plan was too kind to prove anything")
					}
				})
			})
		}
	})
}

// judge compares the reported changes of a site with its true state.
func (w *world) judge(site int) {
	told := w.book.told(site)
	status := check.StatusRunning
	for _, c := range told {
		if c.From != status {
			w.t.Errorf("site %d: reported %d after %d", site, c.To, status)
		}
		status = c.To
		switch c.To {
		case check.StatusDown:
			if !meets(w.plan.down[site], c.Start, c.At) {
				w.t.Errorf("site %d: reported down at %s, but it had been up since the first failure at %s", site, w.clock(c.At), w.clock(c.Start))
			}
			if c.Ballot == nil || quorum.Judge(c.Ballot.Rule, opinions(c.Ballot)) != quorum.Confirmed || c.Ballot.Rule.Voters != len(w.peers) {
				w.t.Errorf("site %d: reported down by ballot %+v", site, c.Ballot)
			}
		case check.StatusRunning:
			if w.isDown(site, c.At) && w.isDown(site, c.At.Add(-time.Minute)) {
				w.t.Errorf("site %d: reported up at %s, but it was down", site, w.clock(c.At))
			}
		}
	}
	for _, outage := range w.plan.long[site] {
		var downs, ups int
		for _, c := range told {
			switch {
			case c.To == check.StatusDown && c.At.After(outage.from) && c.At.Before(outage.to.Add(5*time.Minute)):
				downs++
				if late := c.At.Sub(outage.from); late > foundWithin {
					w.t.Errorf("site %d: the outage of %s was reported %s later", site, w.clock(outage.from), late)
				}
			case c.To == check.StatusRunning && c.At.After(outage.to.Add(-time.Minute)) && c.At.Before(outage.to.Add(30*time.Minute)):
				ups++
			}
		}
		if downs != 1 || ups != 1 {
			w.t.Errorf("site %d: the outage from %s to %s was reported %d times, its end %d times", site, w.clock(outage.from), w.clock(outage.to), downs, ups)
		}
	}
}

func (w *world) clock(t time.Time) string {
	return "+" + t.Sub(w.plan.begin).Round(time.Second).String()
}

func opinions(b *record.Ballot) (all []quorum.Opinion) {
	for _, v := range b.Votes {
		all = append(all, quorum.Opinion{Voter: quorum.Voter{Name: v.Veriflier, Region: v.Region}, Value: v.Value})
	}
	return all
}

// still returns a plan of one site and six verifliers in which nothing goes wrong for an hour.
func still() plan {
	p := plan{begin: time.Now(), end: time.Now().Add(time.Hour)}
	p.down, p.long, p.mistaken, p.phases = make([][]span, 1), make([][]span, 1), make([][]span, 1), make([][]phase, 6)
	return p
}

// allBut gives all verifliers but the first n a mode for a time.
func (p plan) allBut(n int, m mode, s span) {
	for i := range p.phases {
		if i >= n {
			p.phases[i] = append(p.phases[i], phase{s, m})
		}
	}
}

// At the default times, with checks of up to 4 s and votes of up to 3 s.
func TestAnOutageIsReportedWithinAMinuteOfItsFirstFailingCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := still()
		p.down[0] = []span{{p.begin.Add(5 * time.Minute), p.end}}
		w := newWorld(t, 4, p)
		w.run()
		told := w.book.told(0)
		if len(told) != 1 {
			t.Fatalf("told %+v, want the outage once", told)
		}
		if took := told[0].At.Sub(told[0].Start); took > time.Minute {
			t.Errorf("it took %s from the first failing check to the change", took)
		}
	})
}

// A defect of another monitor: with five of six verifliers gone, the one that answered decided alone.
func TestAQuorumDoesNotShrinkToTheOneThatAnswers(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{dead, hanging, stranger, unhealthy, busy} {
		synctest.Test(t, func(t *testing.T) {
			p := still()
			all := span{p.begin, p.end}
			p.mistaken[0] = []span{all} // the checkers see the site fail although it works
			p.allBut(1, m, all)
			w := newWorld(t, 1, p, alwaysDown)
			w.run()
			if told := w.book.told(0); len(told) != 0 {
				t.Errorf("mode %d: one of six verifliers was enough to report %+v", m, told)
			}
			if undecided := w.engine.Summary(time.Now()).Undecided; len(undecided) != 1 || !strings.Contains(undecided[0].Reason, " of 6 down in ") {
				t.Errorf("mode %d: undecided are %+v, want the site with its votes", m, undecided)
			}
			for _, b := range w.book.ballots() {
				if b.Verdict != quorum.Inconclusive || b.Rule.Voters != 6 || b.Rule.Need != 4 {
					t.Errorf("mode %d: a ballot ended %v under the rule %s", m, b.Verdict, b.Rule)
				}
			}
		})
	}
}

// A defect of another monitor: with no verifier to answer, it closed a real outage as a false alarm.
func TestAnOutageIsNoFalseAlarmBecauseNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := still()
		p.down[0] = []span{{p.begin.Add(5 * time.Minute), p.end}}
		back := p.begin.Add(30 * time.Minute)
		p.allBut(0, dead, span{p.begin, back})
		w := newWorld(t, 2, p)
		w.run()
		for _, b := range w.book.ballots() {
			if b.Verdict == quorum.Rejected {
				t.Errorf("at %s no veriflier answered, but the ballot was rejected", w.clock(b.Decided))
			}
		}
		if n := w.engine.Summary(time.Now()).Counters.FalseAlarms; n != 0 {
			t.Errorf("%d false alarms", n)
		}
		told := w.book.told(0)
		if len(told) != 1 || told[0].To != check.StatusDown {
			t.Fatalf("told %+v, want the outage once", told)
		}
		if at := told[0].At; at.Before(back) || at.After(back.Add(5*time.Minute)) {
			t.Errorf("told at %s, want soon after the verifliers are back at %s", w.clock(at), w.clock(back))
		}
		if late := told[0].Start.Sub(p.down[0][0].from); late < 0 || late > 2*time.Minute {
			t.Errorf("the reported start is %s after the true one", late)
		}
	})
}

// A defect of another monitor: its own network failed, and it reported all sites as down.
func TestTheMonitorsOwnNetworkFailureIsNobodysDowntime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := still()
		cut := span{p.begin.Add(10 * time.Minute), p.begin.Add(40 * time.Minute)}
		p.mistaken[0] = []span{cut}
		p.allBut(0, unhealthy, cut)
		w := newWorld(t, 3, p)
		// The checkers notice the cut only after the first checks have failed.
		for at, deaf := range map[time.Time]bool{cut.from.Add(50 * time.Second): true, cut.to.Add(5 * time.Second): false} {
			time.AfterFunc(time.Until(at), func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.deaf["checker-a"], w.deaf["checker-b"] = deaf, deaf
			})
		}
		w.run()
		if told := w.book.told(0); len(told) != 0 {
			t.Errorf("told %+v, want nothing", told)
		}
		v, _ := w.engine.View(time.Now(), 1)
		if v.Status != check.StatusRunning || v.UndecidedReason != "" || v.Last == nil || v.Last.Outcome != check.OutcomeUp {
			t.Errorf("after the cut the site is %+v, want it up and decided", v)
		}
	})
}
