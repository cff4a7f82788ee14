package snapshot

import (
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// freshFor is how old a snapshot may be for its failures to count: a site that still fails
// is found again in less. The memory of a flapping site counts longer.
const freshFor = 10 * time.Minute

// Journal tracks which snapshots in the store are outdated, and which an earlier owner has
// left there. NewJournal makes one. It is not safe for concurrent use.
type Journal struct {
	// outdated holds each site whose snapshot in the store must be written or deleted, with
	// the site's last known bucket.
	outdated map[check.SiteID]check.BucketID
	// queues holds the sites of outdated by shard, those first that have waited longest.
	// Invariant: each is in the queue of its shard. A queue may also hold sites that were
	// written, dropped or moved since.
	queues [shard.Count][]check.SiteID
	// left holds the snapshots of earlier owners, until their sites are added.
	left map[check.SiteID]record.Snapshot
}

// NewJournal makes an empty journal.
func NewJournal() *Journal {
	return &Journal{outdated: map[check.SiteID]check.BucketID{}, left: map[check.SiteID]record.Snapshot{}}
}

// Outdated records that the snapshot of a site in the store is outdated. A site that is
// queued already keeps its place in the queue of its shard.
func (j *Journal) Outdated(id check.SiteID, bucket check.BucketID) {
	s := shard.Of(bucket)
	if before, ok := j.outdated[id]; !ok || shard.Of(before) != s {
		j.queues[s] = append(j.queues[s], id)
	}
	j.outdated[id] = bucket
}

// Next takes the site of a shard that has waited longest; false when none waits.
func (j *Journal) Next(s shard.ID) (id check.SiteID, bucket check.BucketID, ok bool) {
	for queue := j.queues[s]; len(queue) > 0; {
		id, queue = queue[0], queue[1:]
		if j.queues[s] = queue; len(queue) == 0 {
			j.queues[s] = nil
		}
		if bucket, ok = j.outdated[id]; ok && shard.Of(bucket) == s {
			delete(j.outdated, id)
			return id, bucket, true
		}
	}
	return 0, 0, false
}

// Waiting returns an upper bound of how many sites of a shard wait.
func (j *Journal) Waiting(s shard.ID) int { return len(j.queues[s]) }

// GiveBack takes updates back that could not be written. They have waited longest.
func (j *Journal) GiveBack(updates []Update) {
	var back [shard.Count][]check.SiteID
	for i := range updates {
		u := &updates[i]
		if _, ok := j.outdated[u.Site]; !ok {
			s := shard.Of(u.Bucket)
			j.outdated[u.Site] = u.Bucket
			back[s] = append(back[s], u.Site)
		}
	}
	for s, ids := range back {
		if len(ids) > 0 {
			j.queues[s] = append(ids, j.queues[s]...)
		}
	}
}

// Drop forgets a shard that another coordinator owns now: its snapshots are the next
// owner's to write.
func (j *Journal) Drop(sh shard.ID) {
	for id, bucket := range j.outdated {
		if shard.Of(bucket) == sh {
			delete(j.outdated, id)
		}
	}
	for id, s := range j.left {
		if shard.Of(s.Bucket) == sh {
			delete(j.left, id)
		}
	}
}

// Left stores the snapshot that an earlier owner has left of a site, before the site is added.
func (j *Journal) Left(s record.Snapshot) { j.left[s.SiteID] = s }

// Has reports whether an earlier owner has left a snapshot of a site.
func (j *Journal) Has(id check.SiteID) bool {
	_, ok := j.left[id]
	return ok
}

// Loaded ends the recall of a shard whose sites have all been added: the snapshots that are
// still left belong to no site, and are queued for deletion.
func (j *Journal) Loaded(sh shard.ID) {
	for id, s := range j.left {
		if shard.Of(s.Bucket) == sh {
			delete(j.left, id)
			j.Outdated(id, s.Bucket)
		}
	}
	// Entries from an earlier ownership of the shard are of no use.
	j.queues[sh] = slices.DeleteFunc(j.queues[sh], func(id check.SiteID) bool {
		_, ok := j.outdated[id]
		return !ok
	})
}

// Recalled is the part of a snapshot that still counts.
type Recalled struct {
	Snapshot
	// Fresh: all of it counts. Otherwise only State.Flap, HeadHostile and Regional do.
	Fresh bool
}

// Recall takes the snapshot that was left of a site, and returns the part that still counts;
// nil when nothing does. Nothing counts if the row has another URL, or another status than
// the snapshot. The failures count while they are fresh. Recall returns an error when it
// cannot decode the snapshot.
func (j *Journal) Recall(now time.Time, row *record.Site) (*Recalled, error) {
	left := j.left[row.ID]
	delete(j.left, row.ID)
	s, err := decode(left.State)
	if err != nil {
		return nil, fmt.Errorf("decode the snapshot of site %d: %w", row.ID, err)
	}
	if left.URL != row.URL || s.State.Status != row.Status {
		return nil, nil
	}
	s.notAfter(now)
	// A snapshot from too far in the future is not fresh either: its age is unknown.
	fresh := now.Sub(left.At).Abs() <= freshFor
	if !fresh {
		s.State.Flap.Good, s.State.Flap.Agreed = time.Time{}, false
	}
	return &Recalled{Snapshot: s, Fresh: fresh}, nil
}
