package api

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

func TestAShardWhoseLeaseHasEndedHasNoOwner(t *testing.T) {
	t.Parallel()
	now := time.Now()
	lease := shard.Lease{Shard: 1, Node: "b", Term: 7, Expires: now}
	got := shardsToProto([]shard.Entry{{Lease: lease}, {Lease: lease, Orphaned: now}, {}})
	if got[0].GetOwner() != "b" || got[0].GetTerm() != 7 || got[1].GetOwner() != "" || got[1].GetTerm() != 7 || got[1].GetExpireTime() == nil || got[2].GetExpireTime() != nil {
		t.Errorf("got %v", got)
	}
}
