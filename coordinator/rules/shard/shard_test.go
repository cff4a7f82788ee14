package shard_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
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

func TestSitesOfABlogShareABucketAndOthersAreSpread(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		blog check.BlogID
		url  string
		want check.BucketID
	}{
		{7, "http://a.example/", 7},
		{7, "http://b.example/", 7},
		{check.Buckets + 7, "", 7},
		{1<<63 - 1, "", check.Buckets - 1},
		// Rows that are there were placed so: what changes this places their like elsewhere.
		{0, "http://example.com/", 369},
		{-5, "http://example.com/", 369},
		{0, "", 453},
	} {
		if got := shard.Place(tt.blog, tt.url); got != tt.want {
			t.Errorf("%q of blog %d is placed in %d, want %d", tt.url, tt.blog, got, tt.want)
		}
	}
	var used [check.Buckets]int
	for i := range 100 * check.Buckets {
		used[shard.Place(0, fmt.Sprintf("https://site-%d.example/", i))]++
	}
	if least, most := slices.Min(used[:]), slices.Max(used[:]); least < 50 || most > 200 {
		t.Errorf("of 100 a bucket some have %d, and some %d", least, most)
	}
}
