package check

import "testing"

func TestASecondOpinionTellsBothReadings(t *testing.T) {
	t.Parallel()
	loop := Observation{Outcome: OutcomeDown, Failure: FailureRedirect, Reason: "loop"}
	good := Observation{Outcome: OutcomeUp, HTTPStatus: 200}
	tests := []struct {
		both     SecondOpinion
		disagree bool
		words    string
	}{
		{SecondOpinion{loop, good}, true, "the engine saw REDIRECT (loop), another reader a good page with HTTP status 200"},
		{SecondOpinion{loop, loop}, false, "the engine saw REDIRECT (loop), another reader REDIRECT (loop)"},
		{SecondOpinion{good, good}, false, "the engine saw a good page with HTTP status 200, another reader a good page with HTTP status 200"},
		{SecondOpinion{good, loop}, false, "the engine saw a good page with HTTP status 200, another reader REDIRECT (loop)"},
		{SecondOpinion{Observation{Outcome: OutcomeUnknown, Failure: FailurePolicy}, good}, true,
			"the engine saw POLICY, another reader a good page with HTTP status 200"},
	}
	for _, tt := range tests {
		if got := tt.both.Disagree(); got != tt.disagree || tt.both.String() != tt.words {
			t.Errorf("%v, %q, want %v, %q", got, tt.both, tt.disagree, tt.words)
		}
	}
}
