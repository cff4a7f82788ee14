package panel

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
)

func TestAVoteCarriesBothReadings(t *testing.T) {
	t.Parallel()
	both := &checkv1.SecondOpinion{
		Engine: &checkv1.Observation{Outcome: isDown, Failure: checkv1.FailureKind_FAILURE_KIND_REDIRECT, Reason: "loop"},
		Reader: &checkv1.Observation{Outcome: isUp, HttpStatus: 200},
	}
	const saw = "readers_disagree: the engine saw REDIRECT (loop), another reader a good page with HTTP status 200"
	tests := []struct {
		name     string
		seen     *checkv1.Observation
		both     *checkv1.SecondOpinion
		value    quorum.Value
		disagree bool
		why      string
	}{
		{"they disagree", &checkv1.Observation{Outcome: isUnknown, Reason: check.ReasonReadersDisagree}, both, quorum.Unknown, true, saw},
		{"they agree", both.GetEngine(), &checkv1.SecondOpinion{Engine: both.GetEngine(), Reader: both.GetEngine()}, quorum.Down, false, ""},
		{"nobody else was asked", both.GetEngine(), nil, quorum.Down, false, ""},
		{"only one of them is told", &checkv1.Observation{Outcome: isUnknown, Reason: check.ReasonReadersDisagree}, nil, quorum.Unknown, false, "cannot tell: readers_disagree"},
		// The outcome decides, whatever else an answer says.
		{"an old reason", &checkv1.Observation{Outcome: isUp, Reason: check.ReasonReadersDisagree}, both, quorum.Up, false, ""},
	}
	for _, tt := range tests {
		v := Member{Name: "a"}.judge("1", &veriflierv1.VerifyResponse{
			RequestId: "1", Veriflier: "a", Observation: tt.seen, SecondOpinion: tt.both, SelfCheck: &checkv1.SelfCheck{Healthy: true},
		})
		if v.Value != tt.value || v.UnknownReason != tt.why || v.ReadersDisagree() != tt.disagree || (v.SecondOpinion == nil) != (tt.both == nil) {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
}
