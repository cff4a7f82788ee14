package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// world holds the probabilities of what goes wrong.
type world struct {
	// stray is how often a single vote is wrong by itself.
	stray float64
	// regional is how often an escalation falls into a time in which one random region sees
	// every site down: all of its verifliers do, in every round.
	regional float64
	// unknown is how often a vote is UNKNOWN.
	unknown float64
}

// panel holds the voters and the rule.
type panel struct {
	roster  []quorum.Voter
	regions int
	rule    quorum.Rule
}

// newPanel spreads voters evenly over regions.
func newPanel(l row) (panel, error) {
	p := panel{regions: l.regions}
	for i := range l.verifliers {
		p.roster = append(p.roster, quorum.Voter{Name: fmt.Sprint("v", i), Region: fmt.Sprint("r", i%l.regions)})
	}
	var err error
	p.rule, err = quorum.NewRule(p.roster, l.limit)
	return p, err
}

// end is the result of an escalation.
type end struct {
	verdict quorum.Verdict // Inconclusive: undecided after the last round
	round   uint8
}

// escalate lets the real state machine and real ballots decide a suspicion. The site has
// failed as often as the policy requires; down is whether it truly is down.
func (p panel) escalate(down bool, w world, r *rand.Rand, policy lifecycle.Policy) end {
	sick := -1
	if r.Float64() < w.regional {
		sick = r.IntN(p.regions)
	}
	now := time.Unix(1_000_000_000, 0)
	s := lifecycle.Initial(check.StatusRunning, now, false)
	var effects []lifecycle.Effect
	for range policy.Failures {
		now = now.Add(policy.Between)
		s, effects = lifecycle.Step(s, lifecycle.Observed{At: now, Node: "checker", Outcome: check.OutcomeDown}, policy)
	}
	for {
		verify, ok := find[lifecycle.Verify](effects)
		if !ok {
			break
		}
		now = now.Add(verify.After)
		verdict := p.ballot(down, sick, w, r)
		s, effects = lifecycle.Step(s, lifecycle.Decided{At: now, Ballot: verify.Ballot, Verdict: verdict}, policy)
		_, told := find[lifecycle.Change](effects)
		_, rejected := find[lifecycle.FalseAlarm](effects)
		switch {
		case told:
			return end{quorum.Confirmed, verify.Round}
		case rejected:
			return end{quorum.Rejected, verify.Round}
		case s.Held:
			return end{quorum.Inconclusive, verify.Round}
		}
	}
	panic("an escalation did not end") // the state machine is broken, so no result would count
}

// ballot lets all verifliers vote, in random order.
func (p panel) ballot(down bool, sick int, w world, r *rand.Rand) quorum.Verdict {
	b := quorum.Open(p.rule, p.roster)
	first := r.IntN(len(p.roster))
	for i := range p.roster {
		v := (first + i) % len(p.roster)
		if err := b.Cast(p.roster[v].Name, w.vote(down, v%p.regions == sick, r)); err != nil {
			panic(err) // impossible: the ballot has the same roster
		}
		if verdict := b.Verdict(); verdict != quorum.Pending {
			return verdict
		}
	}
	return b.Close()
}

// vote returns the vote of one veriflier.
func (w world) vote(down, sick bool, r *rand.Rand) quorum.Value {
	if r.Float64() < w.unknown {
		return quorum.Unknown
	}
	if r.Float64() < w.stray {
		down = !down
	}
	if down || sick {
		return quorum.Down
	}
	return quorum.Up
}

func find[T lifecycle.Effect](effects []lifecycle.Effect) (found T, ok bool) {
	for _, e := range effects {
		if f, is := e.(T); is {
			return f, true
		}
	}
	return found, false
}

// tally counts ends.
type tally struct {
	total, confirmed, rejected, held int
	// byRound counts the confirmed up to each round, from 1.
	byRound [8]int
}

func (t *tally) add(e end) {
	t.total++
	switch e.verdict {
	case quorum.Confirmed:
		t.confirmed++
		for i := int(e.round); i < len(t.byRound); i++ {
			t.byRound[i]++
		}
	case quorum.Rejected:
		t.rejected++
	default:
		t.held++
	}
}

func (t *tally) merge(o tally) {
	t.total += o.total
	t.confirmed += o.confirmed
	t.rejected += o.rejected
	t.held += o.held
	for i := range t.byRound {
		t.byRound[i] += o.byRound[i]
	}
}

func share(n, of int) float64 { return float64(n) / float64(of) }
