package api

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/shard"
)

func TestTheAlarmOfShardsThatAreNobodys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	const long, short = 31 * time.Second, 30 * time.Second
	for _, tt := range []struct {
		name     string
		orphaned map[shard.ID]time.Duration
		want     string
		since    time.Duration
	}{
		{"all are owned", nil, "", 0},
		{"a takeover is given its time", map[shard.ID]time.Duration{3: short}, "", 0},
		{"one is not", map[shard.ID]time.Duration{3: long, 4: short}, "nobody owns shards 3 (buckets 48-63): their sites are not checked", long},
		{"the first, the last and some in a row are one alarm, since the oldest", map[shard.ID]time.Duration{0: long, 7: long, 8: time.Hour, 9: long, 31: long},
			"nobody owns shards 0 (buckets 0-15), 7-9 (buckets 112-159), 31 (buckets 496-511): their sites are not checked", time.Hour},
	} {
		shards := make([]shard.Entry, shard.Count)
		for i := range shards {
			shards[i].Shard = shard.ID(i)
			if d, ok := tt.orphaned[shard.ID(i)]; ok {
				shards[i].Orphaned = now.Add(-d)
			}
		}
		alarms := unowned(shards, now)
		if tt.want == "" {
			if len(alarms) > 0 {
				t.Errorf("%s: %v", tt.name, alarms)
			}
			continue
		}
		if len(alarms) != 1 || alarms[0].GetMessage() != tt.want || now.Sub(alarms[0].GetRaiseTime().AsTime()) != tt.since {
			t.Errorf("%s: %v", tt.name, alarms)
		}
	}
}

func TestAShardWhoseLeaseHasEndedHasNoOwner(t *testing.T) {
	t.Parallel()
	now := time.Now()
	lease := shard.Lease{Shard: 1, Node: "b", Term: 7, Expires: now}
	got := shardsToProto([]shard.Entry{{Lease: lease}, {Lease: lease, Orphaned: now}, {}})
	if got[0].GetOwner() != "b" || got[0].GetTerm() != 7 || got[1].GetOwner() != "" || got[1].GetTerm() != 7 || got[1].GetExpireTime() == nil || got[2].GetExpireTime() != nil {
		t.Errorf("got %v", got)
	}
}
