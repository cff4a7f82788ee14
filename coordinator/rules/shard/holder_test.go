package shard_test

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

func TestWhatIsHeld(t *testing.T) {
	t.Parallel()
	var h shard.Held
	if n, since := h.Uncertain(); n != 0 || !since.IsZero() || len(h.Staying()) != 0 {
		t.Errorf("of nothing %d are unsure since %v, %v are to stay", n, since, h.Staying())
	}
	h[0] = shard.Tenure{Term: 3, Sure: true, Renewed: at(9)}
	h[7] = shard.Tenure{Term: 4, Renewed: at(-10)}
	h[8] = shard.Tenure{Term: 4, Renewed: at(-12)}
	h[9] = shard.Tenure{Term: 5, Leaving: true, Renewed: at(-99)} // its next owner will write
	h[31] = shard.Tenure{Term: 6, Leaving: true, Sure: true}
	if got := h.Staying(); !slices.Equal(got, []shard.ID{0, 7, 8}) || !h.Stays(8) || h.Stays(9) || h.Stays(30) || h.Stays(shard.Count) || h.Stays(255) {
		t.Errorf("%v are to stay", got)
	}
	if n, since := h.Uncertain(); n != 2 || !since.Equal(at(-12)) {
		t.Errorf("%d are unsure, since %v", n, since)
	}
	if n, since := (shard.Held{1: {Term: 1, Renewed: time.Time{}.Add(1)}}).Uncertain(); n != 1 || since.IsZero() {
		t.Errorf("%d are unsure, since %v", n, since)
	}
}
