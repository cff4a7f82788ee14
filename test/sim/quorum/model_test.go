package main

import (
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/seeds"
)

// TestTheDefaultRuleKeepsItsPromise checks the promised figures of the default rule: 4 of 6
// over 3 regions.
func TestTheDefaultRuleKeepsItsPromise(t *testing.T) {
	t.Parallel()
	p, err := newPanel(row{6, 3, 0})
	if err != nil {
		t.Fatal(err)
	}
	if p.rule.Need != 4 || p.rule.Regions != 2 {
		t.Fatalf("the rule is %s, want 4 of 6, 2 regions", p.rule)
	}
	const count = 400_000
	if up := p.run(false, sound(), 1, count); share(up.confirmed, up.total) > 1e-4 {
		t.Errorf("%d of %d escalations of sites that are up were confirmed, want at most 1e-4", up.confirmed, up.total)
	}
	// The promise is close to the rule's true figure. So arithmetic decides whether the rule
	// keeps it, and the model must agree with arithmetic.
	want := 1 - math.Pow(1-atLeast(4, 6, 0.8), 3)
	if want < 0.999 {
		t.Errorf("%.5f of outages are confirmed within three rounds at 20 %% UNKNOWN, want at least 0.999", want)
	}
	down := p.run(true, deaf(), 2, count)
	if got := share(down.byRound[3], down.total); math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/count) {
		t.Errorf("the model confirms %.5f within three rounds at 20 %% UNKNOWN, arithmetic says %.5f", got, want)
	}
	if down.rejected > 0 {
		t.Errorf("%d outages were rejected, and nobody was wrong", down.rejected)
	}
}

// atLeast returns the probability of k or more of n events, each with probability p.
func atLeast(k, n int, p float64) (sum float64) {
	for set := range 1 << n {
		if c := bits.OnesCount(uint(set)); c >= k {
			sum += math.Pow(p, float64(c)) * math.Pow(1-p, float64(n-c))
		}
	}
	return sum
}

// exact returns the share of first ballots that confirm a site that is up. It follows the
// rule's words: at least need DOWN over at least 2 regions. No vote is UNKNOWN, so a ballot
// always decides.
func exact(p panel, w world) float64 {
	total := 0.0
	for sick := -1; sick < p.regions; sick++ {
		weight := 1 - w.regional
		if sick >= 0 {
			weight = w.regional / float64(p.regions)
		}
		for votes := range 1 << len(p.roster) {
			probability, places := weight, map[int]bool{}
			for i := range p.roster {
				down := votes>>i&1 == 1
				switch {
				case i%p.regions == sick && !down:
					probability = 0
				case i%p.regions == sick:
				case down:
					probability *= w.stray
				default:
					probability *= 1 - w.stray
				}
				if down {
					places[i%p.regions] = true
				}
			}
			if bits.OnesCount(uint(votes)) >= p.rule.Need && len(places) >= p.rule.Regions {
				total += probability
			}
		}
	}
	return total
}

// TestTheModelAgreesWithArithmetic compares the model with arithmetic where both apply.
func TestTheModelAgreesWithArithmetic(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{7}, func(t *testing.T, seed uint64) {
		w := world{stray: 0.1, regional: 0.05}
		for _, l := range []row{{2, 2, 0}, {3, 3, 0}, {5, 3, 0}, {6, 2, 0}, {6, 2, 5}, {6, 3, 0}, {6, 6, 0}, {7, 3, 0}} {
			p, err := newPanel(l)
			if err != nil {
				t.Fatal(err)
			}
			const count = 200_000
			got := p.run(false, w, seed, count)
			want, first := exact(p, w), share(got.byRound[1], got.total)
			if off := math.Abs(first - want); off > 5*math.Sqrt(want/count) {
				t.Errorf("%s over %d regions: the model confirms %.6f, arithmetic says %.6f", p.rule, l.regions, first, want)
			}
		}
	})
}

func TestTheSameSeedGivesTheSameTable(t *testing.T) {
	t.Parallel()
	var tables [3]strings.Builder
	for i, seed := range []uint64{5, 5, 6} {
		if err := printTable(&tables[i], seed, 2000); err != nil {
			t.Fatal(err)
		}
	}
	if tables[0].String() != tables[1].String() {
		t.Errorf("two tables of one seed differ:\n%s\n%s", &tables[0], &tables[1])
	}
	if tables[0].String() == tables[2].String() {
		t.Error("another seed gives the same table")
	}
	if n := strings.Count(tables[0].String(), " of "); n != len(rows()) {
		t.Errorf("%d rows, want %d", n, len(rows()))
	}
}

// TestNobodyWhoKnowsMeansHeld shows that a panel without any opinion neither confirms nor
// rejects.
func TestNobodyWhoKnowsMeansHeld(t *testing.T) {
	t.Parallel()
	for _, l := range rows() {
		p, err := newPanel(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, down := range []bool{true, false} {
			if got := p.run(down, world{unknown: 1}, 3, 100); got.held != got.total {
				t.Errorf("%s: %+v, want all held", p.rule, got)
			}
		}
	}
}
