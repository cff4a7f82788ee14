package changelog

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// keepFor is how long an edit is remembered: longer than any reading takes.
	keepFor = 5 * time.Minute
	// Edits are counted by blocks of 1<<blockBits ids; blocks whose numbers differ by a
	// multiple of counted share a count.
	blockBits = 14
	counted   = 1 << 12
)

// Log remembers edits and given-up shards. New makes one. It is not safe for concurrent use.
type Log struct {
	// recent holds the time of each site's last edit. Invariant: it contains every edit
	// that is not older than keepFor.
	recent map[check.SiteID]time.Time
	// swept is when older edits were last dropped from recent.
	swept time.Time
	// edits counts the edits of each block.
	edits [counted]uint64
	// drops counts how often each shard has been given up.
	drops [shard.Count]uint64
}

// New makes an empty log.
func New() *Log { return &Log{recent: map[check.SiteID]time.Time{}} }

// Edited records an edit of a site at now.
func (l *Log) Edited(now time.Time, id check.SiteID) {
	l.recent[id] = now
	l.Moved(id)
}

// Moved records that a Reading has found a site in another shard. Two readings may see the
// site in either shard, in any order: its span must be read again.
func (l *Log) Moved(id check.SiteID) { l.edits[block(id)%counted]++ }

// Dropped records that a shard has been given up.
func (l *Log) Dropped(shard shard.ID) { l.drops[shard]++ }

// Fresh reports whether a row that was read, or written, at the given time is not older
// than the last edit of its site.
func (l *Log) Fresh(id check.SiteID, at time.Time) bool { return !l.recent[id].After(at) }

// Edits counts the edits and moves of sites of a span, and perhaps of others. As long as
// the count stays the same, the sites of the span are as they were read.
func (l *Log) Edits(span record.Span) (n uint64) {
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
	// drops is how often each shard had been given up when the pass began.
	drops [shard.Count]uint64
}

// Read starts a pass over some buckets, whose rows are read from time began on.
func (l *Log) Read(began time.Time, buckets ...check.BucketID) *Reading {
	r := &Reading{log: l, began: began, drops: l.drops}
	for _, b := range buckets {
		r.reads[b] = true
	}
	return r
}

// Began returns when the pass began.
func (r *Reading) Began() time.Time { return r.began }

// Fresh reports whether the reading takes a row: its bucket is one of the reading's, and
// its shard has not been given up since. If so, Fresh also reports whether the row is
// fresh: not older than the last edit of its site.
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

// Done ends the pass, and drops edits that are older than any reading.
func (r *Reading) Done() {
	l := r.log
	if r.began.Sub(l.swept) <= keepFor/5 { // a sweep is costly, and readings may be many
		return
	}
	l.swept = r.began
	for id, t := range l.recent {
		if r.began.Sub(t) > keepFor {
			delete(l.recent, id)
		}
	}
}
