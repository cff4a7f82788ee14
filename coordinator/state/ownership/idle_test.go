package ownership_test

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// The next owner of a shard knows since when nobody has made its checks: since the last one left
// it, which is before it has dropped its sites, or since that one renewed its lease for the last
// time.
func TestTheNextOwnerKnowsSinceWhenNobodyMadeTheChecks(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{drop: 700 * time.Millisecond})
		if idle := a.Held()[3].Idle; !idle.IsZero() {
			t.Errorf("a shard that never had an owner is idle since %s", idle)
		}
		after(5 * time.Second)
		joined := time.Now()
		b := start(t, r, "b", part{})
		watch(t, []*node{a, b}, 30*time.Second, even(a, b))
		for _, s := range b.has() {
			if idle := b.Held()[s].Idle; idle.Before(joined) || time.Since(idle) < 700*time.Millisecond {
				t.Errorf("shard %d is idle since %s, before the other had dropped it or after it was asked to, %s ago", s, idle, time.Since(joined))
			}
		}
		left := time.Now()
		a.end(t)
		watch(t, []*node{b}, takeover, even(b))
		for s := range shard.ID(shard.Count) {
			if idle := b.Held()[s].Idle; idle.After(left.Add(time.Second)) {
				t.Errorf("shard %d is idle since %s after its owner was told to end", s, idle.Sub(left))
			}
		}
		dies := time.Now()
		b.kill(t)
		c := start(t, r, "c", part{})
		watch(t, []*node{c}, takeover, even(c))
		for s := range shard.ID(shard.Count) {
			if idle := c.Held()[s].Idle; idle.After(dies) || dies.Sub(idle) > 6*time.Second {
				t.Errorf("shard %d is idle since %s after its owner died, want the last renewal, at most 6 s before", s, idle.Sub(dies))
			}
		}
		c.end(t)
	})
}
