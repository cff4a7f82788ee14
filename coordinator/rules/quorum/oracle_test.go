package quorum_test

import (
	"fmt"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
)

// maxVoters bounds the exhaustive truth table.
const maxVoters = 7

// oracle holds the verdict on every assignment of votes for one rule and one layout
// of regions. It follows the wording of the rule and shares no code with the ballot:
// it finds what may still be decided by trying every continuation.
type oracle struct {
	rule    quorum.Rule
	regions []int
	// verdict by code; digit i in base 4 is voter i's vote.
	verdict []quorum.Verdict
}

func newOracle(rule quorum.Rule, regions []int) *oracle {
	o := &oracle{rule: rule, regions: regions, verdict: make([]quorum.Verdict, 1<<(2*len(regions)))}
	// A vote only ever raises a digit from 0, so higher codes are known first.
	for code := len(o.verdict) - 1; code >= 0; code-- {
		o.verdict[code] = o.judge(code)
	}
	return o
}

func (o *oracle) judge(code int) quorum.Verdict {
	down, up, places := 0, 0, map[int]bool{}
	for i, region := range o.regions {
		switch digit(code, i) {
		case quorum.Down:
			down++
			places[region] = true
		case quorum.Up:
			up++
		}
	}
	if down >= o.rule.Need && len(places) >= o.rule.Regions {
		return quorum.Confirmed
	}
	if up > o.rule.Voters-o.rule.Need {
		return quorum.Rejected
	}
	for i := range o.regions {
		if digit(code, i) != 0 {
			continue
		}
		for v := quorum.Down; v <= quorum.Unknown; v++ {
			if o.verdict[code|int(v)<<(2*i)] != quorum.Inconclusive {
				return quorum.Pending
			}
		}
	}
	return quorum.Inconclusive
}

func digit(code, i int) quorum.Value { return quorum.Value(code >> (2 * i) & 3) }

// layouts lists the ways to spread n voters over regions, as region numbers. Voters
// are interchangeable, since all votes of all voters are tried: sizes suffice.
func layouts(n int) [][]int {
	var out [][]int
	var split func(rest, most int, sofar []int)
	split = func(rest, most int, sofar []int) {
		if rest == 0 {
			out = append(out, append([]int(nil), sofar...))
			return
		}
		region := 0
		if len(sofar) > 0 {
			region = sofar[len(sofar)-1] + 1
		}
		for size := min(rest, most); size >= 1; size-- {
			next := append([]int(nil), sofar...)
			for range size {
				next = append(next, region)
			}
			split(rest-size, size, next)
		}
	}
	split(n, n, nil)
	return out
}

// The exhaustive truth table: every roster up to maxVoters, every layout of regions,
// every Need, every assignment of votes.
func TestTruthTable(t *testing.T) {
	t.Parallel()
	for n := 1; n <= maxVoters; n++ {
		t.Run(fmt.Sprintf("%d voters", n), func(t *testing.T) {
			t.Parallel()
			for _, layout := range layouts(n) {
				for limit := 0; limit <= n; limit++ {
					truthTable(t, layout, limit)
				}
			}
		})
	}
}

func truthTable(t *testing.T, layout []int, limit int) {
	t.Helper()
	roster := make([]quorum.Voter, len(layout))
	for i, r := range layout {
		roster[i] = quorum.Voter{Name: string(rune('a' + i)), Region: string(rune('A' + r))}
	}
	rule, err := quorum.NewRule(roster, limit)
	if err != nil {
		t.Fatal(err)
	}
	o := newOracle(rule, layout)
	var confirms, rejects int
	for code, want := range o.verdict {
		b := quorum.Open(rule, roster)
		for i, v := range roster {
			if value := digit(code, i); value != 0 {
				if err := b.Cast(v.Name, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := b.Verdict(); got != want {
			t.Fatalf("rule %v, regions %v, votes %s: %v, want %v", rule, layout, votesOf(code, len(layout)), got, want)
		}
		o.properties(t, code)
		switch want {
		case quorum.Confirmed:
			confirms++
		case quorum.Rejected:
			rejects++
		}
	}
	if confirms == 0 || rejects == 0 {
		t.Fatalf("rule %v, regions %v: %d assignments confirm, %d reject: the rule cannot be met", rule, layout, confirms, rejects)
	}
}

// properties checks, on the table that agrees with the ballot, what a vote may
// do: Up never leads towards Confirmed, Down never towards Rejected, Unknown towards
// neither, and nothing undoes a decision.
func (o *oracle) properties(t *testing.T, code int) {
	t.Helper()
	before := o.verdict[code]
	for i := range o.regions {
		if digit(code, i) != 0 {
			continue
		}
		for v := quorum.Down; v <= quorum.Unknown; v++ {
			after := o.verdict[code|int(v)<<(2*i)]
			wrong := before != quorum.Pending && after != before ||
				v == quorum.Up && before != quorum.Confirmed && after == quorum.Confirmed ||
				v == quorum.Down && before != quorum.Rejected && after == quorum.Rejected ||
				v == quorum.Unknown && after != before && after != quorum.Inconclusive
			if wrong {
				t.Fatalf("rule %v, regions %v, votes %s: %v by voter %d turns %v into %v",
					o.rule, o.regions, votesOf(code, len(o.regions)), v, i, before, after)
			}
		}
	}
	// Had an Up been any other vote, the answer would be no further from Confirmed.
	for i := range o.regions {
		if digit(code, i) != quorum.Up || before != quorum.Confirmed {
			continue
		}
		for _, v := range []quorum.Value{quorum.Down, quorum.Unknown, 0} {
			if other := o.verdict[code&^(3<<(2*i))|int(v)<<(2*i)]; other != quorum.Confirmed {
				t.Fatalf("rule %v, regions %v, votes %s: confirmed only thanks to the Up of voter %d",
					o.rule, o.regions, votesOf(code, len(o.regions)), i)
			}
		}
	}
}

func votesOf(code, n int) string {
	s := make([]byte, n)
	for i := range n {
		s[i] = ".DU?"[digit(code, i)]
	}
	return string(s)
}

// Need stays that of the rule, whatever the votes.
func TestNeedDoesNotDependOnWhoAnswers(t *testing.T) {
	t.Parallel()
	roster := voters("a", "b", "c", "d", "e", "f")
	rule, err := quorum.NewRule(roster, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Three do not answer; the three that do all say down. With a quorum that shrinks
	// to those who answer this would be three of three.
	b := cast(t, rule, roster, []quorum.Value{d, d, d, x, x, x})
	if got := b.Verdict(); got != quorum.Inconclusive {
		t.Errorf("%v under rule %v, want %v", got, rule, quorum.Inconclusive)
	}
	// The same with nobody's silence turned into a vote.
	silent := cast(t, rule, roster, []quorum.Value{d, d, d})
	if got := silent.Close(); got != quorum.Inconclusive {
		t.Errorf("three of six in time: %v, want %v", got, quorum.Inconclusive)
	}
	fourth := cast(t, rule, roster, []quorum.Value{d, d, d, x, x, d})
	if got := fourth.Verdict(); got != quorum.Confirmed {
		t.Errorf("the fourth: %v, want %v", got, quorum.Confirmed)
	}
}
