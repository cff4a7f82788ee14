package quorum_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/test/seeds"
)

// opinions reads "eu:D us:U ap:?" as votes of voters 0, 1, ...
func opinions(votes ...string) []quorum.Opinion {
	var out []quorum.Opinion
	for i, v := range votes {
		value := map[byte]quorum.Value{'D': quorum.Down, 'U': quorum.Up, '?': quorum.Unknown}[v[len(v)-1]]
		out = append(out, quorum.Opinion{Voter: quorum.Voter{Name: string(rune('a' + i)), Region: v[:len(v)-2]}, Value: value})
	}
	return out
}

func TestSplit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		votes    []quorum.Opinion
		down, up []string
		clean    bool
	}{
		{"one region against two", opinions("eu:D", "eu:D", "us:U", "ap:U"), []string{"eu"}, []string{"ap", "us"}, true},
		{"who does not know does not blur it", opinions("eu:D", "eu:?", "us:U", "ap:?"), []string{"eu"}, []string{"us"}, true},
		{"a region that disagrees in itself does", opinions("eu:D", "eu:U", "us:U"), nil, nil, false},
		{"all down is no split", opinions("eu:D", "us:D"), []string{"eu", "us"}, nil, false},
		{"all up is no split", opinions("eu:U", "us:U"), nil, []string{"eu", "us"}, false},
		{"nobody knows", opinions("eu:?", "us:?"), nil, nil, false},
		{"nobody votes", nil, nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			down, up, clean := quorum.Split(tt.votes)
			if !slices.Equal(down, tt.down) || !slices.Equal(up, tt.up) || clean != tt.clean {
				t.Errorf("%v, %v, %v; want %v, %v, %v", down, up, clean, tt.down, tt.up, tt.clean)
			}
		})
	}
}

// TestJudgeIsWhatTheBallotComesTo compares with ballots that are cast vote by vote, in
// random order, and closed.
func TestJudgeAgreesWithTheBallot(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{20261121}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		for range 5000 {
			var votes []quorum.Opinion
			var roster []quorum.Voter
			for i := range 1 + r.IntN(7) {
				v := quorum.Voter{Name: string(rune('a' + i)), Region: []string{"eu", "us", "ap"}[r.IntN(3)]}
				roster = append(roster, v)
				votes = append(votes, quorum.Opinion{Voter: v, Value: quorum.Value(r.IntN(4))})
			}
			rule, err := quorum.NewRule(roster, 0)
			if err != nil {
				continue // a roster on which no rule can hold
			}
			b := quorum.Open(rule, roster)
			for _, i := range r.Perm(len(votes)) {
				if votes[i].Value != 0 {
					if err := b.Cast(votes[i].Name, votes[i].Value); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got, want := quorum.Judge(rule, votes), b.Close(); got != want {
				t.Fatalf("%v by %v: %v, want %v", votes, rule, got, want)
			}
		}
	})
}
