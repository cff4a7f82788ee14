package panel

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

func TestWhoVotesAgainstTheVerdictIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), says("b", isDown), says("c", isUp))
		for range 3 {
			b.ask(t, 5*time.Second)
		}
		for i, want := range []uint64{0, 0, 3} {
			if got := b.panel.Status()[i].Dissented; got != want {
				t.Errorf("veriflier %d dissented %d times, want %d", i, got, want)
			}
		}
	})
}

func TestAShadowRuleIsTriedAndDecidesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), says("b", isDown), says("c", isUp))
		if _, ok := b.panel.Shadow(); ok {
			t.Error("a rule is tried that nobody configured")
		}
		var err error
		if b.panel.lineup.Load().shadow, err = newShadow(Options{ShadowNeed: 3}, b.panel.Rule()); err != nil {
			t.Fatal(err)
		}
		if a := b.ask(t, 5*time.Second); a.Verdict != quorum.Confirmed {
			t.Fatalf("verdict %v", a.Verdict)
		}
		st, ok := b.panel.Shadow()
		if want := (ShadowStatus{Rule: quorum.Rule{Voters: 3, Need: 3, Regions: 2}, Ballots: 1, OnlyRule: 1}); !ok || st != want {
			t.Errorf("%+v, want %+v", st, want)
		}
	})
}

func TestAShadowRuleThatCannotBeMetIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := newShadow(Options{ShadowNeed: 4}, quorum.Rule{Voters: 3, Need: 2, Regions: 2}); err == nil {
		t.Error("accepted")
	}
}

func TestAVeriflierThatRestartsIsAskedOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		restarts := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			if calls.Add(1) == 2 { // it was fine before
				return nil, status.Error(codes.Unavailable, "draining")
			}
			return says("c", isDown)(ctx, req)
		}
		b := newBench(t, says("a", isDown), says("b", isUp), restarts)
		for range 2 {
			if a := b.ask(t, 5*time.Second); a.Verdict != quorum.Confirmed {
				t.Fatalf("verdict %v, %+v", a.Verdict, a.Votes)
			}
		}
		if n := calls.Load(); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}
