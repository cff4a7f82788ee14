package shard

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Directory is who owns which shard, and which coordinators are there. The zero value
// knows of nobody.
type Directory struct {
	// At is when it was read, zero before it first was; Err is why it could not be read
	// since.
	At  time.Time
	Err error
	// Entries are all shards by number.
	Entries Entries
	// Members are the coordinators that were there, by name.
	Members []Member
}

// Entries are all shards by number.
type Entries [Count]Entry

// Entry is who owns a shard: Node is empty when it was given back or never claimed.
type Entry struct {
	Lease
	// Orphaned is since when nobody owns it, as far as is known: when the last lease
	// ended, or, when there is none, when that was first seen. It is zero while somebody
	// owns it.
	Orphaned time.Time
}

// Read is the directory that follows d when at some moment these leases and members are
// read. Leases of shards that do not exist are passed over.
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

// Put lays a lease over the entry of its shard that is at least as new as that.
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

// Owner is whose lease of a bucket's shard lasts at some moment; false when nobody's does.
func (d *Directory) Owner(b check.BucketID, at time.Time) (Lease, bool) {
	l := d.Entries[Of(b%check.Buckets)].Lease
	return l, l.Node != "" && l.Expires.After(at)
}
