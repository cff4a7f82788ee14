package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// observer follows a site from outside. It knows the events and the effects,
// not the memory of the machine, and reports what breaks the rules. For the changes of
// status it computes the rule itself: each must come exactly when the rule asks for it.
type observer struct {
	policy lifecycle.Policy
	status check.Status
	since  time.Time
	paused bool
	// newest is the end of the newest check that could tell.
	newest time.Time
	// failures are the ends of the failing checks since the last good one, rejection or pause.
	failures []time.Time
	// goods are the good checks since the last failing one or pause.
	goods []lifecycle.Observed
	// recoveries are the changes to running; start is the outage's first failing check
	// (zero for an outage that the observer did not see begin), and relapses its count.
	recoveries []time.Time
	start      time.Time
	relapses   uint16
	// open is the number of the open ballot, 0 when none; last is the highest ever; rounds are
	// the rounds of the verification so far.
	open, last uint32
	rounds     int
}

// see takes one event with its consequences, and returns what is wrong with them.
func (w *observer) see(before, after lifecycle.State, e lifecycle.Event, did []lifecycle.Effect) error {
	fresh := w.note(e)
	if !fresh && (len(did) > 0 || before != after) {
		return fmt.Errorf("an event that is late or out of place changes something")
	}
	var owed []lifecycle.Change
	if fresh {
		owed = w.owed(e)
	}
	var changes []lifecycle.Change
	for _, effect := range did {
		var err error
		switch f := effect.(type) {
		case lifecycle.Change:
			changes = append(changes, f)
			w.change(f)
		case lifecycle.Verify:
			err = w.verify(e, f)
		case lifecycle.Abandon:
			if w.open == 0 || f.Ballot != w.open {
				err = fmt.Errorf("abandons ballot %d, open is %d", f.Ballot, w.open)
			}
			w.open = 0
		case lifecycle.FalseAlarm:
			if d, ok := e.(lifecycle.Decided); !ok || d.Verdict != quorum.Rejected {
				err = fmt.Errorf("false alarm without a rejection")
			}
		case lifecycle.Blip:
			if o, ok := e.(lifecycle.Observed); !ok || o.Outcome != check.OutcomeUp || w.status != check.StatusRunning {
				err = fmt.Errorf("blip without a good check of a running site")
			}
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !slices.Equal(changes, owed):
		return fmt.Errorf("changes %+v, want %+v: failures %v, good checks %v, recoveries %v", changes, owed, w.failures, w.goods, w.recoveries)
	case after.Status != w.status || !after.StatusSince.Equal(w.since):
		return fmt.Errorf("status %d since %v, reported was %d since %v", after.Status, after.StatusSince, w.status, w.since)
	case (after.Stage == lifecycle.Verifying) != (w.open != 0):
		return fmt.Errorf("stage %v with open ballot %d", after.Stage, w.open)
	case (after.Stage == lifecycle.Paused) != w.paused:
		return fmt.Errorf("stage %v, paused is %t", after.Stage, w.paused)
	}
	return w.stage(after)
}

// note records the event and reports whether it may change anything.
func (w *observer) note(e lifecycle.Event) bool {
	switch e := e.(type) {
	case lifecycle.Pause:
		fresh := !w.paused
		w.paused, w.failures, w.goods = true, nil, nil
		return fresh
	case lifecycle.Resume:
		fresh := w.paused
		w.paused = false
		return fresh
	case lifecycle.Decided:
		if w.paused || e.Ballot != w.open || w.open == 0 {
			return false
		}
		w.open = 0
		if e.Verdict == quorum.Rejected {
			w.failures = nil
		}
		return true
	case lifecycle.Observed:
		if w.paused || e.At.Before(w.newest) {
			return false
		}
		switch e.Outcome {
		case check.OutcomeUp:
			w.newest, w.failures, w.goods = e.At, nil, append(w.goods, e)
		case check.OutcomeDown:
			if w.status != check.StatusRunning && w.agreed() {
				w.relapses++
			}
			w.newest, w.failures, w.goods = e.At, append(w.failures, e.At), nil
		}
	}
	return true
}

// agreed reports whether the good checks are of two nodes.
func (w *observer) agreed() bool {
	return slices.ContainsFunc(w.goods, func(o lifecycle.Observed) bool { return o.Node != w.goods[0].Node })
}

// owed returns the changes that the rule asks for after a noted event.
//
//   - Running to down: the ballot that is open is confirmed.
//   - Down to confirmed down: a failing check at least NoticeWindow after the site was
//     reported down.
//   - To running: a good check, when the site has been good since a good check by another
//     node (which need not be the one before: a, b, b will do), and, after two recoveries
//     within FlapWindow, good for FlapHold.
func (w *observer) owed(e lifecycle.Event) []lifecycle.Change {
	c := lifecycle.Change{From: w.status, Start: w.start, Relapses: w.relapses}
	switch e := e.(type) {
	case lifecycle.Decided:
		if e.Verdict != quorum.Confirmed {
			return nil
		}
		c.To, c.Start, c.At = check.StatusDown, w.failures[0], e.At
		return []lifecycle.Change{c}
	case lifecycle.Observed:
		c.At = e.At
		switch {
		case e.Outcome == check.OutcomeDown && w.status == check.StatusDown && !e.At.Before(w.since.Add(w.policy.NoticeWindow)):
			c.To = check.StatusConfirmedDown
			return []lifecycle.Change{c}
		case e.Outcome == check.OutcomeUp && w.status != check.StatusRunning && w.agreed() && w.steady(e.At):
			c.To = check.StatusRunning
			return []lifecycle.Change{c}
		}
	}
	return nil
}

// steady reports whether a flapping site has been good for long enough.
func (w *observer) steady(at time.Time) bool {
	n := len(w.recoveries)
	flaps := n >= 2 && w.policy.FlapWindow > 0 && at.Sub(w.recoveries[n-2]) <= w.policy.FlapWindow
	return !flaps || at.Sub(w.goods[0].At) >= w.policy.FlapHold
}

// change records a reported change.
func (w *observer) change(c lifecycle.Change) {
	w.status, w.since, w.start = c.To, c.At, c.Start
	if c.To == check.StatusRunning {
		w.recoveries, w.relapses, w.start = append(w.recoveries, c.At), 0, time.Time{}
	}
}

// verify checks the opening of a ballot.
func (w *observer) verify(e lifecycle.Event, v lifecycle.Verify) error {
	if w.open != 0 || v.Ballot <= w.last {
		return fmt.Errorf("opens ballot %d, open is %d, last was %d", v.Ballot, w.open, w.last)
	}
	w.open, w.last = v.Ballot, v.Ballot
	if _, again := e.(lifecycle.Decided); again {
		w.rounds++
		if want := w.policy.RoundWaits[w.rounds-2]; v.After != want {
			return fmt.Errorf("round %d after %v, want %v", w.rounds, v.After, want)
		}
	} else {
		w.rounds = 1
	}
	if int(v.Round) != w.rounds || w.rounds > len(w.policy.RoundWaits)+1 {
		return fmt.Errorf("round %d, want %d", v.Round, w.rounds)
	}
	if w.status != check.StatusRunning || len(w.failures) < int(w.policy.Failures) {
		return fmt.Errorf("verification at status %d after %d failures", w.status, len(w.failures))
	}
	return nil
}

// stage checks that the stage fits the reported status.
func (w *observer) stage(s lifecycle.State) error {
	fits := map[lifecycle.Stage][]check.Status{
		lifecycle.NeverChecked: {check.StatusRunning}, lifecycle.Up: {check.StatusRunning},
		lifecycle.Suspect: {check.StatusRunning}, lifecycle.Verifying: {check.StatusRunning},
		lifecycle.Down: {check.StatusDown}, lifecycle.ConfirmedDown: {check.StatusConfirmedDown},
		lifecycle.Recovering: {check.StatusDown, check.StatusConfirmedDown},
		lifecycle.Paused:     {check.StatusRunning, check.StatusDown, check.StatusConfirmedDown},
	}[s.Stage]
	if !slices.Contains(fits, s.Status) {
		return fmt.Errorf("stage %v at status %d", s.Stage, s.Status)
	}
	inRun := s.Stage == lifecycle.Suspect || s.Stage == lifecycle.Verifying
	if s.Status == check.StatusRunning && (inRun != (s.Failures > 0) || inRun == s.FirstFailure.IsZero()) {
		return fmt.Errorf("stage %v with %d failures since %v", s.Stage, s.Failures, s.FirstFailure)
	}
	if s.Failures > w.policy.Failures || s.Held && s.Stage != lifecycle.Suspect {
		return fmt.Errorf("stage %v with %d failures, undecided %t", s.Stage, s.Failures, s.Held)
	}
	return nil
}

// someEvent makes an event that may be late, for another ballot, or senseless.
func someEvent(rng *rand.Rand, now time.Time, s lifecycle.State, outcomes []check.Outcome) lifecycle.Event {
	switch n := rng.IntN(100); {
	case n < 60:
		end := now
		if rng.IntN(5) == 0 {
			end = now.Add(-time.Duration(rng.IntN(300)) * time.Second)
		}
		return lifecycle.Observed{At: end, Node: string(rune('a' + rng.IntN(3))), Outcome: outcomes[rng.IntN(len(outcomes))]}
	case n < 94:
		ballot := s.Ballot
		if rng.IntN(4) == 0 {
			ballot += uint32(rng.IntN(3)) - 1
		}
		return lifecycle.Decided{At: now, Ballot: ballot, Verdict: quorum.Confirmed + quorum.Verdict(rng.IntN(3))}
	case n < 97:
		return lifecycle.Pause{}
	default:
		return lifecycle.Resume{}
	}
}

// shape is the kind of a story.
type shape struct {
	outcomes []check.Outcome
	// gap bounds the seconds between two events.
	gap int
	// pauses is the chance in a hundred that a pause ends with the next event.
	pauses int
}

// someShape draws the shape of a story: most are slow; in the others a site comes and
// goes within the windows of Flap, and pauses are short.
func someShape(rng *rand.Rand, flaps bool) shape {
	s := shape{outcomes: []check.Outcome{check.OutcomeUp, check.OutcomeDown, check.OutcomeUnknown}, gap: 400}
	if flaps {
		s.gap, s.pauses = 20+rng.IntN(100), 30
		for range rng.IntN(8) { // Many are mostly good.
			s.outcomes = append(s.outcomes, check.OutcomeUp)
		}
		return s
	}
	for range rng.IntN(4) { // Some stories have mostly bad checks.
		s.outcomes = append(s.outcomes, check.OutcomeDown)
	}
	return s
}

// tally counts the changes of the stories by the reported status.
type tally map[check.Status]int

// tell plays one story of 300 events before an observer.
func tell(rng *rand.Rand, flaps bool, told tally) error {
	p := lifecycle.DefaultPolicy()
	p.Failures = uint8(1 + rng.IntN(4))
	p.RoundWaits = p.RoundWaits[:rng.IntN(3)]
	shape := someShape(rng, flaps)
	now := at(0)
	status := []check.Status{check.StatusRunning, check.StatusDown, check.StatusConfirmedDown}[rng.IntN(3)]
	s := lifecycle.Initial(status, now, rng.IntN(5) == 0)
	w := &observer{policy: p, status: status, since: now, paused: s.Stage == lifecycle.Paused}
	var history []string
	for range 300 {
		now = now.Add(time.Duration(rng.IntN(shape.gap)) * time.Second)
		e := someEvent(rng, now, s, shape.outcomes)
		if w.paused && shape.pauses > 0 && rng.IntN(100) < shape.pauses {
			e = lifecycle.Resume{}
		}
		next, did := lifecycle.Step(s, e, p)
		history = append(history, fmt.Sprintf("%T%+v: %v, status %d %+v", e, e, next.Stage, next.Status, did))
		if err := w.see(s, next, e, did); err != nil {
			return fmt.Errorf("%w\n%s", err, strings.Join(history[max(0, len(history)-30):], "\n"))
		}
		for _, effect := range did {
			if c, ok := effect.(lifecycle.Change); ok {
				told[c.To]++
			}
		}
		s = next
	}
	return nil
}

// Over random stories: every change comes when the rule asks for it, and no other,
// there are never two opens without a close, and nothing changes by checks that could not
// tell or came late.
func TestRandomStories(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 5674636705776555590}, func(t *testing.T, seed uint64) {
		told := tally{}
		for story := range 3000 {
			if err := tell(rand.New(rand.NewPCG(seed, uint64(story))), story >= 1500, told); err != nil {
				t.Fatalf("story %d: %v", story, err)
			}
		}
		if told[check.StatusDown] < 100 || told[check.StatusRunning] < 100 || told[check.StatusConfirmedDown] < 100 {
			t.Errorf("the stories report too few changes: %v", told)
		}
	})
}

// In any state, checks that could not tell lead to no change, no ballot and
// no other stage.
func TestUnknownsAloneNeverChangeAnything(t *testing.T) {
	t.Parallel()
	for _, from := range []lifecycle.State{fresh, isUp, suspect1, undecided, verifying, isDown, stillDown, recover0, recover2, paused} {
		s := from
		for second := range 200 {
			var did []lifecycle.Effect
			s, did = lifecycle.Step(s, unknown(110+60*second, string(rune('a'+second%5))), lifecycle.DefaultPolicy())
			for _, effect := range did {
				if _, ok := effect.(lifecycle.Recheck); !ok {
					t.Fatalf("%v: %#v", from.Stage, effect)
				}
			}
			if s != from {
				t.Fatalf("%+v became %+v", from, s)
			}
		}
	}
}

func BenchmarkStepHealthy(b *testing.B) {
	s, p := isUp, lifecycle.DefaultPolicy()
	b.ReportAllocs()
	for b.Loop() {
		s, _ = lifecycle.Step(s, lifecycle.Observed{At: s.Observed, Node: "b", Outcome: check.OutcomeUp}, p)
	}
}
