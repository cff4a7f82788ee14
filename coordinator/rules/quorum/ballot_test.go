package quorum_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/test/seeds"
)

const (
	none = quorum.Value(0)
	d    = quorum.Down
	u    = quorum.Up
	x    = quorum.Unknown
)

// voters makes a roster from regions: voters("eu", "us") is v0 in eu and v1 in us.
func voters(regions ...string) []quorum.Voter {
	roster := make([]quorum.Voter, len(regions))
	for i, r := range regions {
		roster[i] = quorum.Voter{Name: fmt.Sprintf("v%d", i), Region: r}
	}
	return roster
}

func cast(t *testing.T, rule quorum.Rule, roster []quorum.Voter, votes []quorum.Value) *quorum.Ballot {
	t.Helper()
	b := quorum.Open(rule, roster)
	for i, v := range votes {
		if v == none {
			continue
		}
		if err := b.Cast(roster[i].Name, v); err != nil {
			t.Fatalf("cast %v by %s: %v", v, roster[i].Name, err)
		}
	}
	return b
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	three := voters("eu", "us", "asia")
	six := voters("eu", "eu", "us", "us", "asia", "asia")
	tests := map[string]struct {
		roster []quorum.Voter
		limit  int
		votes  []quorum.Value
		want   quorum.Verdict
	}{
		"nobody has voted: pending":                                         {three, 0, nil, quorum.Pending},
		"one voter who says down confirms alone":                            {voters("eu"), 0, []quorum.Value{d}, quorum.Confirmed},
		"one voter who says up rejects alone":                               {voters("eu"), 0, []quorum.Value{u}, quorum.Rejected},
		"one voter who cannot tell decides nothing":                         {voters("eu"), 0, []quorum.Value{x}, quorum.Inconclusive},
		"of two, both must say down":                                        {voters("eu", "us"), 0, []quorum.Value{d}, quorum.Pending},
		"of two, one up rejects":                                            {voters("eu", "us"), 0, []quorum.Value{none, u}, quorum.Rejected},
		"of two, one unknown leaves only rejection possible: pending":       {voters("eu", "us"), 0, []quorum.Value{x}, quorum.Pending},
		"of two, one down and one unknown is inconclusive":                  {voters("eu", "us"), 0, []quorum.Value{d, x}, quorum.Inconclusive},
		"of three, two down in two regions confirm":                         {three, 0, []quorum.Value{d, d}, quorum.Confirmed},
		"of three, two unreachable: the third cannot confirm":               {three, 0, []quorum.Value{d, x, x}, quorum.Inconclusive},
		"of three, two unreachable: the third cannot reject":                {three, 0, []quorum.Value{u, x, x}, quorum.Inconclusive},
		"of three, all unreachable: no false alarm":                         {three, 0, []quorum.Value{x, x, x}, quorum.Inconclusive},
		"of three, two unknown are inconclusive before the third has voted": {three, 0, []quorum.Value{x, x}, quorum.Inconclusive},
		"of three, two up reject":                                           {three, 0, []quorum.Value{u, u}, quorum.Rejected},
		"of six, three up reject":                                           {six, 0, []quorum.Value{u, u, u}, quorum.Rejected},
		"of six, three down are not enough":                                 {six, 0, []quorum.Value{d, d, d, u, u, x}, quorum.Inconclusive},
		"of six, four down confirm against two up":                          {six, 0, []quorum.Value{d, d, d, d, u, u}, quorum.Confirmed},
		"enough down in one region wait for another region":                 {voters("eu", "eu", "us"), 0, []quorum.Value{d, d}, quorum.Pending},
		"enough down in one region, the other region up: inconclusive":      {voters("eu", "eu", "us"), 0, []quorum.Value{d, d, u}, quorum.Inconclusive},
		"enough down, the last of the other region may still say down":      {voters("eu", "eu", "us", "us"), 0, []quorum.Value{d, d, x}, quorum.Pending},
		"voters without a region stand in one place":                        {voters("", "", ""), 0, []quorum.Value{d, d}, quorum.Confirmed},
		"the operator's limit of one confirms only over two regions":        {three, 1, []quorum.Value{d}, quorum.Pending},
		"the operator's limit of one, two down in two regions confirm":      {three, 1, []quorum.Value{d, d}, quorum.Confirmed},
		"the operator's limit of all: one up rejects":                       {three, 3, []quorum.Value{u}, quorum.Rejected},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule, err := quorum.NewRule(tt.roster, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if got := cast(t, rule, tt.roster, tt.votes).Verdict(); got != tt.want {
				t.Errorf("%v by rule %v: %v, want %v", tt.votes, rule, got, tt.want)
			}
		})
	}
}

func TestNewRule(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		roster []quorum.Voter
		limit  int
		want   string
		err    string
	}{
		"one voter":                       {voters("eu"), 0, "1 of 1, 1 region", ""},
		"two voters tolerate nobody":      {voters("eu", "us"), 0, "2 of 2, 2 regions", ""},
		"three voters tolerate one":       {voters("a", "b", "c"), 0, "2 of 3, 2 regions", ""},
		"four voters tolerate one":        {voters("a", "b", "c", "d"), 0, "3 of 4, 2 regions", ""},
		"five voters tolerate one":        {voters("a", "b", "c", "d", "d"), 0, "4 of 5, 2 regions", ""},
		"six voters tolerate two":         {voters("a", "a", "a", "a", "a", "a"), 0, "4 of 6, 1 region", ""},
		"seven voters tolerate two":       {voters("a", "b", "c", "d", "e", "f", "g"), 0, "5 of 7, 2 regions", ""},
		"the operator sets the need":      {voters("a", "b", "c", "d"), 2, "2 of 4, 2 regions", ""},
		"the operator may ask for all":    {voters("a", "b", "c", "d"), 4, "4 of 4, 2 regions", ""},
		"nobody configured":               {nil, 0, "", "no outage could ever be confirmed"},
		"a limit over the voters":         {voters("a", "b"), 3, "", "PEER_OFFLINE_LIMIT is 3 but only 2 verifliers are configured: no outage could ever be confirmed"},
		"a negative limit":                {voters("a", "b"), -1, "", "PEER_OFFLINE_LIMIT is -1"},
		"a voter without a name":          {[]quorum.Voter{{Name: "a"}, {}}, 0, "", "veriflier 2 of 2 has no name"},
		"two voters of one name":          {[]quorum.Voter{{"a", "eu"}, {"a", "us"}}, 0, "", `two verifliers are named "a"`},
		"nobody configured, with a limit": {nil, 3, "", "no verifliers are configured"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule, err := quorum.NewRule(tt.roster, tt.limit)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error %q, want one line with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rule.String() != tt.want {
				t.Errorf("rule %q, want %q", rule, tt.want)
			}
		})
	}
}

func TestCast(t *testing.T) {
	t.Parallel()
	roster := voters("eu", "us", "asia")
	rule := quorum.Rule{Voters: 3, Need: 2, Regions: 2}
	b := quorum.Open(rule, roster)
	steps := []struct {
		what  string
		voter string
		value quorum.Value
		err   error
		then  quorum.Verdict
	}{
		{"a stranger has no vote", "v9", d, quorum.ErrNotInvited, quorum.Pending},
		{"a vote must say something", "v0", none, quorum.ErrNoValue, quorum.Pending},
		{"a vote must be one of three", "v0", 4, quorum.ErrNoValue, quorum.Pending},
		{"the first vote counts", "v0", d, nil, quorum.Pending},
		{"the same vote again does not", "v0", d, quorum.ErrVotedTwice, quorum.Pending},
		{"a change of mind does not", "v0", u, quorum.ErrVotedTwice, quorum.Pending},
		{"the second voter decides", "v1", d, nil, quorum.Confirmed},
		{"a late vote is kept and changes nothing", "v2", u, nil, quorum.Confirmed},
	}
	for _, s := range steps {
		if err := b.Cast(s.voter, s.value); !errors.Is(err, s.err) {
			t.Fatalf("%s: error %v, want %v", s.what, err, s.err)
		}
		if got := b.Verdict(); got != s.then {
			t.Fatalf("%s: %v, want %v", s.what, got, s.then)
		}
	}
	if got, want := b.Tally(), (quorum.Tally{Down: 2, Up: 1, DownRegions: 2}); got != want {
		t.Errorf("tally %+v, want %+v", got, want)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	roster := voters("eu", "us", "asia")
	rule := quorum.Rule{Voters: 3, Need: 2, Regions: 2}
	tests := map[string]struct {
		votes []quorum.Value
		want  quorum.Verdict
	}{
		"the deadline never confirms":                       {[]quorum.Value{d}, quorum.Inconclusive},
		"the deadline never rejects":                        {[]quorum.Value{u}, quorum.Inconclusive},
		"the deadline without any vote is inconclusive":     {nil, quorum.Inconclusive},
		"the deadline does not undo a confirmation":         {[]quorum.Value{d, d}, quorum.Confirmed},
		"the deadline does not undo a rejection":            {[]quorum.Value{u, u}, quorum.Rejected},
		"the deadline leaves what was inconclusive already": {[]quorum.Value{x, x}, quorum.Inconclusive},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := cast(t, rule, roster, tt.votes)
			if first, again := b.Close(), b.Close(); first != tt.want || again != tt.want {
				t.Errorf("closed as %v, then %v, want %v", first, again, tt.want)
			}
			if err := b.Cast("v2", d); !errors.Is(err, quorum.ErrClosed) {
				t.Errorf("vote after the end: %v, want %v", err, quorum.ErrClosed)
			}
			if got := b.Verdict(); got != tt.want {
				t.Errorf("verdict after the end: %v, want %v", got, tt.want)
			}
		})
	}
}

// A senseless rule must not decide by accident.
func TestSenselessRulesDecideNothing(t *testing.T) {
	t.Parallel()
	for _, rule := range []quorum.Rule{{}, {Voters: 2}, {Voters: 2, Need: 3}, {Voters: 2, Need: -1}, {Voters: -1, Need: 1}} {
		b := quorum.Open(rule, voters("eu", "us"))
		for _, name := range []string{"v0", "v1"} {
			if got := b.Verdict(); got != quorum.Inconclusive {
				t.Errorf("rule %+v: %v, want %v", rule, got, quorum.Inconclusive)
			}
			_ = b.Cast(name, d) // A rule for fewer voters does not invite them all.
		}
		if got := b.Verdict(); got != quorum.Inconclusive {
			t.Errorf("rule %+v, all down: %v, want %v", rule, got, quorum.Inconclusive)
		}
	}
}

func TestABallotWithAnotherRosterFollowsTheRule(t *testing.T) {
	t.Parallel()
	rule := quorum.Rule{Voters: 3, Need: 2, Regions: 1}
	long := quorum.Open(rule, voters("a", "b", "c", "d"))
	if err := long.Cast("v3", d); !errors.Is(err, quorum.ErrNotInvited) {
		t.Errorf("fourth of three: %v, want %v", err, quorum.ErrNotInvited)
	}
	short := cast(t, rule, voters("a"), []quorum.Value{d})
	if got := short.Verdict(); got != quorum.Inconclusive {
		t.Errorf("one of three, two missing: %v, want %v", got, quorum.Inconclusive)
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]fmt.Stringer{
		"DOWN": d, "UP": u, "UNKNOWN": x, "NONE": none, "Value(9)": quorum.Value(9),
		"PENDING": quorum.Pending, "CONFIRMED": quorum.Confirmed, "REJECTED": quorum.Rejected,
		"INCONCLUSIVE": quorum.Inconclusive, "Verdict(9)": quorum.Verdict(9),
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The verdict after each vote, and the final one, over random orders of random votes.
func TestTheOrderOfVotesDoesNotMatter(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 2000 {
			n := 1 + rng.IntN(9)
			regions := make([]string, n)
			votes := make([]quorum.Value, n)
			for i := range n {
				regions[i] = string(rune('a' + rng.IntN(3)))
				votes[i] = quorum.Value(rng.IntN(4))
			}
			roster := voters(regions...)
			rule, err := quorum.NewRule(roster, rng.IntN(n+1))
			if err != nil {
				t.Fatal(err)
			}
			want := cast(t, rule, roster, votes)
			for range 5 {
				b, fixed := quorum.Open(rule, roster), quorum.Pending
				for _, i := range rng.Perm(n) {
					if votes[i] == none {
						continue
					}
					if err := b.Cast(roster[i].Name, votes[i]); err != nil {
						t.Fatal(err)
					}
					if fixed != quorum.Pending && b.Verdict() != fixed {
						t.Fatalf("%v %v %v: %v became %v", rule, regions, votes, fixed, b.Verdict())
					}
					fixed = b.Verdict()
				}
				if b.Verdict() != want.Verdict() || b.Tally() != want.Tally() {
					t.Fatalf("%v %v %v: %v in one order, %v in another", rule, regions, votes, want.Verdict(), b.Verdict())
				}
			}
		}
	})
}
