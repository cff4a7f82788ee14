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
	// Trial, if not 0, means that the owner is on trial beside v1, of one site in Trial.
	Trial int
}

// Lease is the ownership of one shard until Expires. A higher Term is a later owner.
type Lease struct {
	Shard          ID
	Node, Endpoint string
	Term           uint64
	Expires        time.Time
	// Taken is when the shard was taken over from v1; zero when it was not, or was given back.
	Taken time.Time
	// Trial describes the trial of the shard that goes on, or went on last.
	Trial Trial
}

// IdleSince returns since when nobody has made the checks of a shard, by its lease as the next
// owner finds it at a moment: since its release, or, as leases last for ttl, since its owner last
// gave a sign of life. A release that does not say when it was (by an older version) is reckoned
// to be as old as the time between two looks. It is zero when the shard never had an owner.
func (l Lease) IdleSince(now time.Time, ttl, look time.Duration) time.Time {
	since := l.Expires
	switch {
	case l.Term == 0:
		return time.Time{}
	case l.Node != "":
		since = l.Expires.Add(-ttl)
	case l.Expires.IsZero():
		since = now.Add(-look)
	}
	if since.After(now) { // by a clock that is ahead
		return now
	}
	return since
}

// Trial describes how long a shard has been watched beside v1; the zero value means that it
// was not since it was taken over.
type Trial struct {
	// Since is when the trial began. An interruption that leaves v1 unwatched for longer than
	// TrialGap begins a new one.
	Since time.Time
	// Until is when its last lease ends or ended.
	Until time.Time
	// Sample is 1 when all sites are watched, n when it is one in n.
	Sample int
}

// Has reports whether a site belongs to the sample. The sites of a sample are spread over
// all ids.
func (t Trial) Has(id check.SiteID) bool {
	if t.Sample <= 1 {
		return t.Sample == 1
	}
	const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return (uint64(id)*golden>>32)%uint64(t.Sample) == 0
}

// TrialGap is the longest interruption of a trial, by a restart or a takeover.
const TrialGap = 5 * time.Minute

// Voice is who hears of the status changes of a shard.
type Voice uint8

// The voices.
const (
	// Telling coordinators notify WordPress.com.
	Telling Voice = iota
	// Muted ones record changes, and notify nobody.
	Muted
	// OnTrial ones do so beside v1: they neither believe nor write the status in the legacy
	// row, which is v1's.
	OnTrial
)

// Of returns the voice for a lease: a coordinator on trial speaks for the shards that were
// taken over from v1.
func (v Voice) Of(l Lease) Voice {
	if v == OnTrial && !l.Taken.IsZero() {
		return Telling
	}
	return v
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
