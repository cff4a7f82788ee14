package api

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/peers"
	"github.com/Automattic/jetmon/coordinator/store"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestTheAlarmOfShardsThatAreNobodys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	const long, short = 31 * time.Second, 30 * time.Second
	for _, tt := range []struct {
		name     string
		orphaned map[store.ShardID]time.Duration
		want     string
		since    time.Duration
	}{
		{"all are owned", nil, "", 0},
		{"a takeover is given its time", map[store.ShardID]time.Duration{3: short}, "", 0},
		{"one is not", map[store.ShardID]time.Duration{3: long, 4: short}, "nobody owns shards 3 (buckets 48-63): their sites are not checked", long},
		{"the first, the last and some in a row are one alarm, since the oldest", map[store.ShardID]time.Duration{0: long, 7: long, 8: time.Hour, 9: long, 31: long},
			"nobody owns shards 0 (buckets 0-15), 7-9 (buckets 112-159), 31 (buckets 496-511): their sites are not checked", time.Hour},
	} {
		shards := make([]peers.Shard, store.Shards)
		for i := range shards {
			shards[i].Shard = store.ShardID(i)
			if d, ok := tt.orphaned[store.ShardID(i)]; ok {
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
	lease := store.Lease{Shard: 1, Node: "b", Term: 7, Expires: now}
	got := shardsToProto([]peers.Shard{{Lease: lease}, {Lease: lease, Orphaned: now}, {}})
	if got[0].GetOwner() != "b" || got[0].GetTerm() != 7 || got[1].GetOwner() != "" || got[1].GetTerm() != 7 || got[1].GetExpireTime() == nil || got[2].GetExpireTime() != nil {
		t.Errorf("got %v", got)
	}
}

func TestTheAlarmOfOverload(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	s := &fleet{}
	for _, step := range []struct {
		name     string
		after    time.Duration
		stretch  float64
		coverage float64 // below 0: not known
		want     string
		since    time.Duration
	}{
		{"at the start nothing is known", 0, 1, -1, "", 0},
		{"coverage of the first minutes says nothing", 4 * time.Minute, 1, 0.5, "", 0},
		{"a little stretch is no alarm", 4 * time.Minute, 1.05, 1, "", 0},
		{"a stretch is one at once", 4 * time.Minute, 1.5, 0.5, "checkers do not keep up: intervals are stretched by 1.50", 4 * time.Minute},
		{"it goes on since then", 6 * time.Minute, 1.2, 0.985, "checkers do not keep up: intervals are stretched by 1.20, 98.5 % of the checks were made on time", 4 * time.Minute},
		{"it ends", 7 * time.Minute, 1, 0.99, "", 0},
		{"another begins", 8 * time.Minute, 1, 0.1, "checkers do not keep up: 10.0 % of the checks were made on time", 8 * time.Minute},
	} {
		c := &monitorpb.CoordinatorStatus{StartTime: timestamp(start), Stretch: step.stretch}
		if step.coverage >= 0 {
			c.Coverage = &step.coverage
		}
		alarms := s.overload(c, start.Add(step.after))
		if step.want == "" {
			if len(alarms) > 0 {
				t.Errorf("%s: %v", step.name, alarms)
			}
			continue
		}
		if len(alarms) != 1 || alarms[0].GetMessage() != step.want || alarms[0].GetRaiseTime().AsTime().Sub(start) != step.since {
			t.Errorf("%s: %v", step.name, alarms)
		}
	}
}
