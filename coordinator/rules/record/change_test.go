package record_test

import (
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

func TestAFailureIsOfTheRegionsThatSawIt(t *testing.T) {
	t.Parallel()
	saw := func(region string, o check.Outcome) record.LocalCheck {
		return record.LocalCheck{Region: region, Observation: check.Observation{Outcome: o}}
	}
	vote := func(region string, v quorum.Value) record.Vote { return record.Vote{Region: region, Value: v} }
	for name, tt := range map[string]struct {
		checks []record.LocalCheck
		votes  []record.Vote
		want   []string
	}{
		"nobody":               {},
		"a checker, no ballot": {checks: []record.LocalCheck{saw("eu", check.OutcomeDown)}, want: []string{"eu"}},
		"each once, by name": {
			checks: []record.LocalCheck{saw("us", check.OutcomeDown), saw("eu", check.OutcomeDown)},
			votes:  []record.Vote{vote("us", quorum.Down), vote("ap", quorum.Down)}, want: []string{"ap", "eu", "us"},
		},
		"those that saw it up, or could not tell, did not see it": {
			checks: []record.LocalCheck{saw("eu", check.OutcomeDown), saw("sa", check.OutcomeUnknown)},
			votes:  []record.Vote{vote("us", quorum.Up), vote("ap", quorum.Unknown)}, want: []string{"eu"},
		},
		"a node without a region is of none": {checks: []record.LocalCheck{saw("", check.OutcomeDown)}},
	} {
		c := record.Change{Checks: tt.checks}
		if tt.votes != nil {
			c.Ballot = &record.Ballot{Votes: tt.votes}
		}
		if got := c.Regions(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
