package changelog

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// keepFor is how long an edit is remembered: longer than any reading takes.
	keepFor = 5 * time.Minute
	// Edits are counted by block, of 1<<blockBits ids each; blocks whose numbers differ by
	// a multiple of counted share their count.
	blockBits = 14
	counted   = 1 << 12
)

// Log remembers edits and given-up shards. New makes one. It is not safe for concurrent use.
type Log struct {
	// recent holds the time of each site's last edit. Invariant: every edit that is not
	// older than keepFor is in it.
	recent map[check.SiteID]time.Time
	// swept is when older ones were last dropped from recent.
	swept time.Time
	// edits counts the edits of each block.
	edits [counted]uint64
	// drops counts how often each shard was given up.
	drops [shard.Count]uint64
}

// New makes an empty log.
func New() *Log { return &Log{recent: map[check.SiteID]time.Time{}} }

// Edited notes that a site is changed now other than by a Reading.
func (l *Log) Edited(now time.Time, id check.SiteID) {
	l.recent[id] = now
	l.Moved(id)
}

// Moved notes that a Reading has found a site in another shard. Two readings may see it in
// either, and not in the order of time: its span is to be read again.
func (l *Log) Moved(id check.SiteID) { l.edits[block(id)%counted]++ }

// Dropped notes that a shard is given up.
func (l *Log) Dropped(shard shard.ID) { l.drops[shard]++ }

// Fresh reports whether a row that was read, or written, at a time is not older than the
// last edit of its site.
func (l *Log) Fresh(id check.SiteID, at time.Time) bool { return !l.recent[id].After(at) }

// Edits counts how often sites of a span, and perhaps others, were edited or moved. As
// long as that stays the same, what is known of the span is what was read.
func (l *Log) Edits(span store.Span) (n uint64) {
	first, blocks := block(span.First), block(span.Last)-block(span.First)+1
	for i := range min(blocks, counted) {
		n += l.edits[(first+i)%counted]
	}
	return n
}

func block(id check.SiteID) int { return int(uint64(id) >> blockBits) }

// Reading is one pass over the rows of some buckets.
type Reading struct {
	log   *Log
	began time.Time
	reads [check.Buckets]bool
	// drops is how often each shard had been given up when it began.
	drops [shard.Count]uint64
}

// Read begins a pass over some buckets whose rows are read from time began on.
func (l *Log) Read(began time.Time, buckets ...check.BucketID) *Reading {
	r := &Reading{log: l, began: began, drops: l.drops}
	for _, b := range buckets {
		r.reads[b] = true
	}
	return r
}

// Began is when it began.
func (r *Reading) Began() time.Time { return r.began }

// Fresh answers whether a row of a bucket is for this reading at all, and not void since
// its shard was given up meanwhile; and if it is, whether it is fresh: not older than the
// last edit of its site.
func (r *Reading) Fresh(id check.SiteID, bucket check.BucketID) (takes, fresh bool) {
	if bucket >= check.Buckets || !r.reads[bucket] {
		return false, false
	}
	shard := shard.Of(bucket)
	if r.log.drops[shard] != r.drops[shard] {
		return false, false
	}
	return true, r.log.Fresh(id, r.began)
}

// Done ends the pass: edits that no reading can be older than are forgotten.
func (r *Reading) Done() {
	l := r.log
	if r.began.Sub(l.swept) <= keepFor/5 { // there may be many readings, and many edits
		return
	}
	l.swept = r.began
	for id, t := range l.recent {
		if r.began.Sub(t) > keepFor {
			delete(l.recent, id)
		}
	}
}
