package shard

import (
	"hash/fnv"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// ID numbers the shards: 0..31.
type ID uint8

// Count is the number of shards; each holds BucketsPer consecutive buckets.
const (
	Count      = 32
	BucketsPer = check.Buckets / Count
)

// Of returns the shard that holds a bucket.
func Of(b check.BucketID) ID { return ID(b / BucketsPer) }

// Place returns the bucket of a new site: all sites of a blog share one, and a hash of the
// URL places a site without a blog.
func Place(blog check.BlogID, url string) check.BucketID {
	if blog > 0 {
		return check.BucketID(blog % check.Buckets)
	}
	h := fnv.New32a()
	h.Write([]byte(url)) // never fails
	return check.BucketID(h.Sum32() % check.Buckets)
}

// Owner is a coordinator that wants a shard.
type Owner struct {
	// Node is its stable name, Endpoint the address of its API.
	Node, Endpoint string
	// TTL is the duration of a lease.
	TTL time.Duration
}

// Lease is the ownership of one shard until Expires. A higher Term is a later owner.
type Lease struct {
	Shard          ID
	Node, Endpoint string
	Term           uint64
	Expires        time.Time
}

// Fence proves ownership in a write.
type Fence struct {
	Shard ID
	Node  string
	Term  uint64
}

// Fence returns the lease's fence.
func (l Lease) Fence() Fence { return Fence{Shard: l.Shard, Node: l.Node, Term: l.Term} }

// Member is a coordinator that can own shards.
type Member struct {
	// Node is its stable name, Endpoint the address of its API.
	Node, Endpoint string
	// First and Last bound the shards that it takes, both included.
	First, Last ID
	// Expires is when its announcement expires.
	Expires time.Time
}

// Range is a range of buckets, both ends included.
type Range struct{ First, Last check.BucketID }

// Whole reports whether a range consists of whole shards: no coordinator can own a part of
// one.
func (r Range) Whole() bool { return r.First%BucketsPer == 0 && (r.Last+1)%BucketsPer == 0 }

// Nearest returns the ranges of whole shards that come nearest: the largest one inside r,
// false when there is none, and the smallest one around it. r must lie within the buckets.
func (r Range) Nearest() (inside Range, ok bool, around Range) {
	around = Range{r.First / BucketsPer * BucketsPer, r.Last/BucketsPer*BucketsPer + BucketsPer - 1}
	first, end := int(r.First+BucketsPer-1)/BucketsPer*BucketsPer, int(r.Last+1)/BucketsPer*BucketsPer
	if first >= end {
		return Range{}, false, around
	}
	return Range{check.BucketID(first), check.BucketID(end - 1)}, true, around
}
