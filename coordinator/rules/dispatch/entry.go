package dispatch

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/list"
	"github.com/Automattic/jetmon/internal/table"
)

// entry is one open check. What every check needs stands together, in three lines of the
// cache.
//
// Invariant: it is queued, and has a lane; or out, and has a batch; or parked, and has
// neither, but is on a list of its host.
type entry struct {
	// serial tells this check from all others, even from one of the same site and sequence
	// that was withdrawn; 0 when the entry is free.
	serial uint64
	// batch is the live one that has the check, at a position.
	batch    *batch
	position int32
	// returned means that the check was out and is not answered; the node lost had it last.
	returned bool

	// lane has the check while it is queued, since a moment of the clock. order is its place
	// in the queue.
	onLane list.Hook[entry]
	lane   *lane
	since  time.Duration
	order  int64

	check Check
	lost  string

	// host is nil when it has no limit. Of its lists the check is on one while it is queued
	// or parked, except for urgent ones that are queued.
	host   *host
	onHost list.Hook[entry]
}

func (e *entry) isQueued() bool { return e.lane != nil }

// giveBack returns the check from its batch, undone.
func (e *entry) giveBack(node string) {
	e.batch, e.position = nil, 0
	e.returned, e.lost = true, node
}

// openChecks holds the one open check of each site that has one.
type openChecks struct {
	// bySite finds the entry of a site. Invariant: its serial is not 0.
	bySite table.Table[entry]
	// free lists entries to use again. Invariant: their serial is 0, and they are on no
	// list, in no batch and of no host.
	free []*entry
	// last is the serial of the newest check.
	last uint64
}

// of returns the open check of a site; nil when it has none.
func (o *openChecks) of(site check.SiteID) *entry { return o.bySite.Get(uint64(site)) }

// add opens a check of a site that has none.
func (o *openChecks) add(k *Check) *entry {
	var e *entry
	if n := len(o.free); n > 0 {
		e = o.free[n-1]
		o.free = o.free[:n-1]
	} else {
		e = new(entry)
	}
	o.last++
	e.serial, e.check = o.last, *k
	o.bySite.Put(uint64(k.Site), e)
	return e
}

// remove closes a check that is neither queued nor parked any more. Batches that it was in
// find a serial that is not theirs.
func (o *openChecks) remove(e *entry) {
	o.bySite.Remove(uint64(e.check.Site))
	e.serial, e.batch, e.host = 0, nil, nil
	if e.returned {
		e.returned, e.lost = false, ""
	}
	o.free = append(o.free, e)
}
