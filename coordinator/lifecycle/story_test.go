package lifecycle_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// seedFlag repeats a run of the random tests: go test ./coordinator/lifecycle -seed N.
var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a fresh one")

// witness follows a site from outside. It knows what was sent in and what came out,
// never what the machine remembers, and says what must not be.
type witness struct {
	policy lifecycle.Policy
	status check.Status
	since  time.Time
	paused bool
	// newest is the end of the newest check that could tell.
	newest time.Time
	// failures are the ends of the failing checks since the last good one, rejection or pause.
	failures []time.Time
	// goods are the nodes of the good checks since the last failing one.
	goods []string
	// open is the ballot that is under way, 0 when none; last the highest ever; rounds
	// the rounds of the verification so far.
	open, last uint32
	rounds     int
}

// see takes one event with what it led to and returns what is wrong with that.
func (w *witness) see(before, after lifecycle.State, e lifecycle.Event, did []lifecycle.Effect) error {
	fresh := w.note(e)
	if !fresh && (len(did) > 0 || before != after) {
		return fmt.Errorf("an event that is late or out of place changes something")
	}
	changes := 0
	for _, effect := range did {
		var err error
		switch f := effect.(type) {
		case lifecycle.Change:
			changes++
			err = w.change(e, f)
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
	case changes > 1:
		return fmt.Errorf("%d changes at once", changes)
	case after.Status != w.status || !after.StatusSince.Equal(w.since):
		return fmt.Errorf("status %d since %v, told was %d since %v", after.Status, after.StatusSince, w.status, w.since)
	case (after.Stage == lifecycle.Verifying) != (w.open != 0):
		return fmt.Errorf("stage %v with open ballot %d", after.Stage, w.open)
	case (after.Stage == lifecycle.Paused) != w.paused:
		return fmt.Errorf("stage %v, paused is %t", after.Stage, w.paused)
	}
	return w.stage(after)
}

// note records the event and says whether it may change anything.
func (w *witness) note(e lifecycle.Event) bool {
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
			w.newest, w.failures, w.goods = e.At, nil, append(w.goods, e.Node)
		case check.OutcomeDown:
			w.newest, w.failures, w.goods = e.At, append(w.failures, e.At), nil
		}
	}
	return true
}

// change judges a change of status.
func (w *witness) change(e lifecycle.Event, c lifecycle.Change) error {
	if c.From != w.status || c.To == c.From {
		return fmt.Errorf("change %d to %d, told was %d", c.From, c.To, w.status)
	}
	o, observed := e.(lifecycle.Observed)
	switch {
	case c.From == check.StatusRunning && c.To == check.StatusDown:
		d, ok := e.(lifecycle.Decided)
		if !ok || d.Verdict != quorum.Confirmed {
			return fmt.Errorf("an outage opened by %+v", e)
		}
		if len(w.failures) < int(w.policy.Failures) || !c.Start.Equal(w.failures[0]) {
			return fmt.Errorf("an outage that began at %v after the failures %v", c.Start, w.failures)
		}
	case c.From == check.StatusDown && c.To == check.StatusConfirmedDown:
		if !observed || o.Outcome != check.OutcomeDown || o.At.Before(w.since.Add(w.policy.NoticeWindow)) {
			return fmt.Errorf("confirmed down by %+v, told down at %v", e, w.since)
		}
	case c.To == check.StatusRunning:
		if !observed || o.Outcome != check.OutcomeUp || len(w.goods) < 2 || w.goods[len(w.goods)-2] == o.Node {
			return fmt.Errorf("an outage closed by %+v after good checks by %v", e, w.goods)
		}
	default:
		return fmt.Errorf("change %d to %d", c.From, c.To)
	}
	w.status, w.since = c.To, c.At
	return nil
}

// verify judges the opening of a ballot.
func (w *witness) verify(e lifecycle.Event, v lifecycle.Verify) error {
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

// stage judges whether the stage fits what was told.
func (w *witness) stage(s lifecycle.State) error {
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
		return fmt.Errorf("stage %v with %d failures, held %t", s.Stage, s.Failures, s.Held)
	}
	return nil
}

// someEvent makes an event that may well be late, for another ballot or senseless.
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

// Over random stories: never a change without a confirmation, never two opens without
// a close, never a change by what could not tell or came late.
func TestRandomStories(t *testing.T) {
	t.Parallel()
	seed := cmp.Or(*seedFlag, rand.Uint64())
	t.Logf("seed %d", seed)
	var opened, closed, confirmedDown int
	for story := range 1500 {
		rng := rand.New(rand.NewPCG(seed, uint64(story)))
		p := lifecycle.DefaultPolicy()
		p.Failures = uint8(1 + rng.IntN(4))
		p.RoundWaits = p.RoundWaits[:rng.IntN(3)]
		outcomes := []check.Outcome{check.OutcomeUp, check.OutcomeDown, check.OutcomeUnknown}
		for range rng.IntN(4) { // Some stories have mostly bad checks.
			outcomes = append(outcomes, check.OutcomeDown)
		}
		now := at(0)
		status := []check.Status{check.StatusRunning, check.StatusDown, check.StatusConfirmedDown}[rng.IntN(3)]
		s := lifecycle.Initial(status, now, rng.IntN(5) == 0)
		w := &witness{policy: p, status: status, since: now, paused: s.Stage == lifecycle.Paused}
		var history []string
		for range 300 {
			now = now.Add(time.Duration(rng.IntN(400)) * time.Second)
			e := someEvent(rng, now, s, outcomes)
			next, did := lifecycle.Step(s, e, p)
			history = append(history, fmt.Sprintf("%T%+v: %v, status %d %+v", e, e, next.Stage, next.Status, did))
			if err := w.see(s, next, e, did); err != nil {
				t.Fatalf("story %d: %v\n%s", story, err, strings.Join(history[max(0, len(history)-30):], "\n"))
			}
			for _, effect := range did {
				if c, ok := effect.(lifecycle.Change); ok {
					switch c.To {
					case check.StatusDown:
						opened++
					case check.StatusRunning:
						closed++
					default:
						confirmedDown++
					}
				}
			}
			s = next
		}
	}
	if opened < 100 || closed < 100 || confirmedDown < 100 {
		t.Errorf("the stories tell too little: %d opened, %d closed, %d confirmed down", opened, closed, confirmedDown)
	}
}

// Whatever a site's state, checks that could not tell lead to no change, no ballot and
// no other stage.
func TestUnknownsAloneNeverChangeAnything(t *testing.T) {
	t.Parallel()
	for _, from := range []lifecycle.State{fresh, isUp, suspect1, held, verifying, isDown, stillDown, recover0, recover2, paused} {
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
