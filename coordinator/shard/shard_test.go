package shard_test

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Each shard holds as many buckets, in a row, and each bucket is in one.
func TestBucketsAreSharedOutInRows(t *testing.T) {
	t.Parallel()
	var held [shard.Count]int
	last := shard.ID(0)
	for b := range check.BucketID(check.Buckets) {
		s := shard.Of(b)
		if s < last || s >= shard.Count {
			t.Fatalf("bucket %d is in shard %d, the one before in %d", b, s, last)
		}
		held[s]++
		last = s
	}
	for s, n := range held {
		if n != shard.BucketsPer {
			t.Errorf("shard %d holds %d buckets", s, n)
		}
	}
}
