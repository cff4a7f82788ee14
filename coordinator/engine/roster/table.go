package roster

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Table holds an entry for every site. New makes one. It is not safe for concurrent use.
type Table struct {
	start time.Time
	// pages hold the entries of slots 0..slots-1; free lists the slots without a site.
	pages []*[pageSize]Entry
	slots int
	free  []schedule.Slot
	// byID finds the slot of a site. Invariant: it contains exactly the slots whose entry
	// has an id.
	byID index
	// buckets holds the head of each bucket's list of slots, noSlot when empty. Invariant:
	// a slot with a site is in the list of its entry's bucket, and in no other.
	buckets [check.Buckets]uint32
	// top is the highest id that a site ever had.
	top check.SiteID

	urls     arena
	settings interned
	nodes    names
	hosts    Hosts
}

const (
	// pageSize is how many entries are allocated at once.
	pageSize = 1 << 14
	noSlot   = ^uint32(0)
	// grain is the precision of Entry.last.
	grain = 100 * time.Millisecond
)

// New makes an empty table whose times begin at start.
func New(start time.Time, hosts Hosts) *Table {
	t := &Table{
		start:    start.Add(-grain), // so no check ends at 0
		settings: newInterned(), nodes: newNames(), hosts: hosts,
	}
	t.byID.id = func(slot schedule.Slot) check.SiteID { return t.Entry(slot).id }
	for i := range t.buckets {
		t.buckets[i] = noSlot
	}
	return t
}

// Entry returns the entry of a slot; its id is 0 when the slot is free. Entries do not
// move in memory.
func (t *Table) Entry(slot schedule.Slot) *Entry {
	return &t.pages[slot/pageSize][slot%pageSize]
}

// Tagged returns the entry of a slot if the given site still has it; nil otherwise.
func (t *Table) Tagged(slot schedule.Slot, id check.SiteID) *Entry {
	if e := t.Entry(slot); e.id == id {
		return e
	}
	return nil
}

// Find returns the slot of a site; false when there is none.
func (t *Table) Find(id check.SiteID) (schedule.Slot, bool) { return t.byID.get(id) }

// Len returns the number of sites.
func (t *Table) Len() int { return t.byID.count }

// Slots returns the number of slots, free ones included. All slots are below it.
func (t *Table) Slots() int { return t.slots }

// Top returns the highest id that a site has ever had.
func (t *Table) Top() check.SiteID { return t.top }

// First returns a slot of a bucket; false when the bucket has no site.
func (t *Table) First(bucket check.BucketID) (schedule.Slot, bool) {
	head := t.buckets[bucket]
	return schedule.Slot(head), head != noSlot
}

// URL returns the URL of the site in a slot.
func (t *Table) URL(slot schedule.Slot) string { return t.urls.text(t.Entry(slot).url) }

// Settings returns the settings of the site in a slot. They are shared and immutable.
func (t *Table) Settings(slot schedule.Slot) *check.Settings {
	return t.settings.list[t.Entry(slot).settings]
}

// Add gives a new site a slot. Its entry says: not paused, running, never checked.
func (t *Table) Add(row *record.Site) schedule.Slot {
	slot := t.newSlot()
	r := t.Entry(slot)
	*r = Entry{
		id: row.ID, blog: row.BlogID, bucket: row.Bucket, url: t.urls.add(row.URL),
		interval: minutes(row.Interval), settings: t.settings.add(row.Settings), since: momentOf(row.StatusSince),
		host: t.hosts.Of(row.URL),
	}
	r.setStage(lifecycle.NeverChecked)
	t.top = max(t.top, row.ID)
	t.link(slot, r)
	t.byID.put(row.ID, slot)
	return slot
}

// Taking is how a row that was read relates to the table.
type Taking uint8

// The outcomes of Take.
const (
	// Unknown: the table does not have the site, and the row is not of a compact site.
	Unknown Taking = iota
	// Added: the table did not have the site, and has it now.
	Added
	// Same: the row brings nothing new, as far as the entry can tell.
	Same
	// Edited: the row differs from the entry, which Take leaves as it is.
	Edited
	// Moved is Edited by a row that is in another shard than the site.
	Moved
)

// Take looks a row up. It adds the site if the table does not have it and compact is set.
// It returns the slot, except for Unknown.
func (t *Table) Take(row *record.Site, compact bool) (schedule.Slot, Taking) {
	slot, known := t.byID.get(row.ID)
	switch {
	case !known && compact:
		return t.Add(row), Added
	case !known:
		return 0, Unknown
	}
	r := t.Entry(slot)
	switch {
	case shard.Of(r.bucket) != shard.Of(row.Bucket):
		return slot, Moved
	case r.blog == row.BlogID && r.bucket == row.Bucket && r.interval == minutes(row.Interval) &&
		r.Stage() != lifecycle.Paused && !row.Paused &&
		t.urls.text(r.url) == row.URL && t.settings.add(row.Settings) == r.settings:
		return slot, Same
	}
	return slot, Edited
}

// Free deletes the site in a slot.
func (t *Table) Free(slot schedule.Slot) {
	r := t.Entry(slot)
	t.byID.remove(r.id)
	t.unlink(r)
	t.urls.drop(r.url)
	*r = Entry{}
	t.free = append(t.free, slot)
}

// Tidy frees the memory of unused URLs once they take half of it. It visits every slot, so
// call it rarely.
func (t *Table) Tidy() {
	if t.urls.lost < chunkBytes || t.urls.lost < t.urls.used/2 {
		return
	}
	var fresh arena
	for slot := range schedule.Slot(t.slots) {
		if r := t.Entry(slot); r.id != 0 {
			r.url = fresh.add(t.urls.text(r.url))
		}
	}
	t.urls = fresh
}

// URLBytes returns how much memory is reserved for URLs.
func (t *Table) URLBytes() int { return len(t.urls.chunks) * chunkBytes }

// newSlot takes a free slot, or makes one.
func (t *Table) newSlot() schedule.Slot {
	if n := len(t.free); n > 0 {
		slot := t.free[n-1]
		t.free = t.free[:n-1]
		return slot
	}
	if t.slots%pageSize == 0 {
		t.pages = append(t.pages, new([pageSize]Entry))
	}
	slot := schedule.Slot(t.slots)
	t.slots++
	return slot
}

// link puts a slot into its bucket's list; unlink takes it out.
func (t *Table) link(slot schedule.Slot, r *Entry) {
	head := &t.buckets[r.bucket%check.Buckets]
	r.prev, r.next = noSlot, *head
	if *head != noSlot {
		t.Entry(schedule.Slot(*head)).prev = uint32(slot)
	}
	*head = uint32(slot)
}

func (t *Table) unlink(r *Entry) {
	if r.prev == noSlot {
		t.buckets[r.bucket%check.Buckets] = r.next
	} else {
		t.Entry(schedule.Slot(r.prev)).next = r.next
	}
	if r.next != noSlot {
		t.Entry(schedule.Slot(r.next)).prev = r.prev
	}
}

// Glance prefetches the index entry of a site, so that Find does not wait for it. The caller
// uses the result to keep the compiler from removing the load.
func (t *Table) Glance(id check.SiteID) uint32 { return t.byID.glance(id) }
