package shard

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Directory has the owner of every shard, and the coordinators that share them. The zero
// value has no owners.
type Directory struct {
	// At is when it was read, zero before the first read; Err is the error of the reads since.
	At  time.Time
	Err error
	// Entries has all shards by number.
	Entries Entries
	// Members has the coordinators at that time, by name.
	Members []Member
}

// Entries has all shards by number.
type Entries [Count]Entry

// Entry has the lease of a shard: Node is empty when it was released or never claimed.
type Entry struct {
	Lease
	// Orphaned is when the shard lost its owner, as far as is known: when its last lease
	// ended, or, without a lease, when that was first seen. It is zero while it has an owner.
	Orphaned time.Time
}

// Read returns the directory that follows d after a read of these leases and members. It
// ignores leases of shards that do not exist.
func (d *Directory) Read(leases []Lease, members []Member, at time.Time) Directory {
	next := Directory{At: at, Members: slices.SortedFunc(slices.Values(members), func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })}
	for s := range next.Entries {
		next.Entries[s].Shard = ID(s)
	}
	for _, l := range leases {
		if l.Shard < Count {
			next.Entries[l.Shard].Lease = l
		}
	}
	for s := range next.Entries {
		e, was := &next.Entries[s], d.Entries[s].Orphaned
		switch {
		case e.Node != "" && e.Expires.After(at):
		case e.Node != "":
			e.Orphaned = e.Expires
		case !was.IsZero():
			e.Orphaned = was
		default:
			e.Orphaned = at
		}
	}
	return next
}

// Put replaces the entry of a shard by a lease, unless the entry has a higher term.
func (d *Directory) Put(l Lease) {
	e := &d.Entries[l.Shard]
	if l.Term < e.Term {
		return
	}
	e.Lease = l
	if l.Expires.After(d.At) {
		e.Orphaned = time.Time{}
	}
}

// Owner returns the lease of a bucket's shard, and reports whether it is valid at a moment.
func (d *Directory) Owner(b check.BucketID, at time.Time) (Lease, bool) {
	l := d.Entries[Of(b%check.Buckets)].Lease
	return l, l.Node != "" && l.Expires.After(at)
}
