package shard_test

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

func TestSinceWhenAShardIsIdle(t *testing.T) {
	t.Parallel()
	const ttl, look = 15 * time.Second, time.Second
	for name, tt := range map[string]struct {
		lease shard.Lease
		want  time.Time
	}{
		"never owned":                      {shard.Lease{}, time.Time{}},
		"released, and it says when":       {shard.Lease{Term: 3, Expires: at(-7)}, at(-7)},
		"released by an older version":     {shard.Lease{Term: 3}, at(-1)},
		"its owner's lease has ended":      {shard.Lease{Term: 3, Node: "a", Expires: at(-2)}, at(-17)},
		"its owner is we before a restart": {shard.Lease{Term: 3, Node: "us", Expires: at(11)}, at(-4)},
		"released by a clock ahead":        {shard.Lease{Term: 3, Expires: at(60)}, at(0)},
	} {
		if got := tt.lease.IdleSince(at(0), ttl, look); !got.Equal(tt.want) {
			t.Errorf("%s: idle since %s, want %s", name, got.Sub(at(0)), tt.want.Sub(at(0)))
		}
	}
}
