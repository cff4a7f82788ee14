package panel

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

func TestWhoDiffersFromWhomIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		turns := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			return says("c", []checkv1.Outcome{isDown, isUp, isUnknown}[min(2, asked.Add(1)-1)])(ctx, req)
		}
		b := newBench(t, says("a", isDown), says("b", isDown), turns)
		for range 3 {
			b.ask(t, 5*time.Second)
		}
		want := []Pair{{"a", "b", 3, 0}, {"a", "c", 2, 1}, {"b", "c", 2, 1}}
		if got := b.panel.Pairs(); !slices.Equal(got, want) {
			t.Errorf("pairs %v, want %v", got, want)
		}
	})
}

func TestAPairIsCountedForAsLongAsBothAreMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), says("b", isUp), says("c", isDown))
		b.ask(t, 5*time.Second)
		late := b.panel.lineup.Load() // holds a ballot that is under way during the change
		o := b.panel.o
		o.Members = []Member{o.Members[2], {Name: "d", Region: "r", Address: "d"}, o.Members[1]}
		if err := b.panel.Change(o); err != nil {
			t.Fatal(err)
		}
		want := []Pair{{"b", "c", 1, 1}, {"b", "d", 0, 0}, {"c", "d", 0, 0}}
		if got := b.panel.Pairs(); !slices.Equal(got, want) {
			t.Errorf("pairs %v, want %v", got, want)
		}
		late.learn(engine.Answer{Votes: []record.Vote{{Value: quorum.Down}, {Value: quorum.Down}, {Value: quorum.Up}}})
		want[0].Ballots, want[0].Differed = 2, 2
		if got := b.panel.Pairs(); !slices.Equal(got, want) {
			t.Errorf("after a ballot of the members before: %v, want %v", got, want)
		}
	})
}
