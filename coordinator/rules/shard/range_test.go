package shard_test

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

func TestRangesThatCutAShardHaveWholeOnesNearby(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		r             shard.Range
		whole, inside bool
		in, around    shard.Range
	}{
		{"all", shard.Range{First: 0, Last: 511}, true, true, shard.Range{First: 0, Last: 511}, shard.Range{First: 0, Last: 511}},
		{"one shard", shard.Range{First: 16, Last: 31}, true, true, shard.Range{First: 16, Last: 31}, shard.Range{First: 16, Last: 31}},
		{"v1's first host of six", shard.Range{First: 0, Last: 85}, false, true, shard.Range{First: 0, Last: 79}, shard.Range{First: 0, Last: 95}},
		{"v1's second host", shard.Range{First: 86, Last: 170}, false, true, shard.Range{First: 96, Last: 159}, shard.Range{First: 80, Last: 175}},
		{"v1's last host", shard.Range{First: 427, Last: 511}, false, true, shard.Range{First: 432, Last: 511}, shard.Range{First: 416, Last: 511}},
		{"less than a shard", shard.Range{First: 3, Last: 5}, false, false, shard.Range{}, shard.Range{First: 0, Last: 15}},
		{"parts of two shards", shard.Range{First: 10, Last: 20}, false, false, shard.Range{}, shard.Range{First: 0, Last: 31}},
	} {
		in, inside, around := tt.r.Nearest()
		if tt.r.Whole() != tt.whole || inside != tt.inside || in != tt.in || around != tt.around {
			t.Errorf("%s: whole %t; inside %v %t, around %v", tt.name, tt.r.Whole(), in, inside, around)
		}
	}
}
