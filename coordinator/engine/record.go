package engine

import (
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/lifecycle"
	"github.com/Automattic/jetmon/coordinator/schedule"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

// record is all that a calm site costs here, beside its URL, its place on the wheel and
// its entry in byID: 64 bytes without a pointer, so that it is one line of the cache.
// A site is calm when it is up, or not checked yet, and nothing is under way; any other
// is a *site in Engine.cases as well.
type record struct {
	id   check.SiteID // 0: the slot is free
	blog check.BlogID
	url  span
	// sequence numbers the checks.
	sequence uint32
	// last is the end of the newest check, in grains since Engine.start; 0: none.
	last     uint32
	settings uint32 // index into Engine.settings
	host     uint32 // hash of the address it was reached at
	// next and prev link the slots of a bucket.
	next, prev uint32
	since      moment // when the status began
	bucket     check.BucketID
	node       uint16 // index into Engine.nodes
	seen       seen   // by the newest check
	rtt        uint16 // its duration in milliseconds
	interval   uint8  // minutes
	flags      flags
}

// flags of a record; the uppermost bits are the stage.
type flags uint8

const (
	flagUrgent      flags = 1 << iota // the newest check
	flagHeadHostile                   // HEAD fails where GET works
	flagGet                           // the newest check was decided by GET
	stageShift      = iota
	flagsAll        = 1<<stageShift - 1
)

func (f flags) stage() lifecycle.Stage { return lifecycle.Stage(f >> stageShift) }

func (r *record) stage() lifecycle.Stage { return r.flags.stage() }

func (r *record) setStage(s lifecycle.Stage) { r.flags = r.flags&flagsAll | flags(s)<<stageShift }

// seen is what a good check saw: the HTTP status in the lower bits, and a bit for each
// advisory.
type seen uint16

const seenStatus seen = 1<<10 - 1

func bitOf(a check.Advisory) seen { return (seenStatus + 1) << (a - 1) }

func seenIn(o *check.Observation) seen {
	s := seen(max(0, min(o.HTTPStatus, 999)))
	for _, a := range o.Advisories {
		s |= bitOf(a)
	}
	return s
}

func (s seen) status() int { return int(s & seenStatus) }

func (s seen) advisories() (out []check.Advisory) {
	for a := check.AdvisoryTLSExpiring; a <= check.AdvisoryHeadUnsupported; a++ {
		if s&bitOf(a) != 0 {
			out = append(out, a)
		}
	}
	return out
}

// fits says whether a record can keep what a good check remarked: when a certificate
// ends it cannot.
func fits(advisories []check.Advisory) bool {
	for _, a := range advisories {
		if a <= check.AdvisoryTLSExpiring || a > check.AdvisoryHeadUnsupported {
			return false
		}
	}
	return true
}

// has and set read and write one flag.
func (r *record) has(f flags) bool { return r.flags&f != 0 }

func (r *record) set(f flags, on bool) {
	r.flags &^= f
	if on {
		r.flags |= f
	}
}

// moment is a time to the millisecond, in 48 bits of Unix time; zero: there is none.
type moment [3]uint16

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	ms := uint64(t.UnixMilli())
	return moment{uint16(ms), uint16(ms >> 16), uint16(ms >> 32)}
}

func (m moment) time() time.Time {
	if m == (moment{}) {
		return time.Time{}
	}
	return time.UnixMilli(int64(m[0]) | int64(m[1])<<16 | int64(int16(m[2]))<<32)
}

// grain is the precision of record.last.
const grain = 100 * time.Millisecond

// pageSize is how many records are allocated at once.
const pageSize = 1 << 14

const noSlot = ^uint32(0)

func (e *Engine) record(slot schedule.Slot) *record {
	return &e.pages[slot/pageSize][slot%pageSize]
}

// newSlot takes a free slot, or makes one.
func (e *Engine) newSlot() schedule.Slot {
	if n := len(e.free); n > 0 {
		slot := e.free[n-1]
		e.free = e.free[:n-1]
		return slot
	}
	if e.slots%pageSize == 0 {
		e.pages = append(e.pages, new([pageSize]record))
	}
	slot := schedule.Slot(e.slots)
	e.slots++
	return slot
}

// link puts a slot into its bucket's list; unlink takes it out.
func (e *Engine) link(slot schedule.Slot, r *record) {
	e.top = max(e.top, r.id)
	head := &e.buckets[r.bucket%check.Buckets]
	r.prev, r.next = noSlot, *head
	if *head != noSlot {
		e.record(schedule.Slot(*head)).prev = uint32(slot)
	}
	*head = uint32(slot)
}

func (e *Engine) unlink(r *record) {
	if r.prev == noSlot {
		e.buckets[r.bucket%check.Buckets] = r.next
	} else {
		e.record(schedule.Slot(r.prev)).next = r.next
	}
	if r.next != noSlot {
		e.record(schedule.Slot(r.next)).prev = r.prev
	}
}

// timeOf and grains convert record.last.
func (e *Engine) timeOf(grains uint32) time.Time {
	if grains == 0 {
		return time.Time{}
	}
	return e.start.Add(time.Duration(grains) * grain)
}

func (e *Engine) grains(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(max(1, t.Sub(e.start)/grain))
}

// span is where a URL lies in the arena.
type span struct {
	offset uint32
	chunk  uint16
	length uint16
}

// arena holds text that is rarely given back: strings of a chunk share its memory.
// What is given back is lost until the arena is made anew.
type arena struct {
	chunks []*strings.Builder
	lost   int // bytes given back
	used   int // bytes handed out, lost ones included
}

const chunkBytes = 1 << 20

func (a *arena) add(s string) span {
	n := len(a.chunks)
	if n == 0 || a.chunks[n-1].Len()+len(s) > chunkBytes {
		b := new(strings.Builder)
		b.Grow(max(chunkBytes, len(s)))
		a.chunks = append(a.chunks, b)
		n++
	}
	b := a.chunks[n-1]
	sp := span{offset: uint32(b.Len()), chunk: uint16(n - 1), length: uint16(len(s))}
	b.WriteString(s) // never over what was grown: earlier strings stay where they are
	a.used += len(s)
	return sp
}

func (a *arena) text(sp span) string {
	return a.chunks[sp.chunk].String()[sp.offset:][:sp.length]
}

func (a *arena) drop(sp span) { a.lost += int(sp.length) }

// tidy makes the arena anew when half of it is lost.
func (e *Engine) tidy() {
	if e.urls.lost < chunkBytes || e.urls.lost < e.urls.used/2 {
		return
	}
	var fresh arena
	for slot := range schedule.Slot(e.slots) {
		if r := e.record(slot); r.id != 0 {
			r.url = fresh.add(e.urls.text(r.url))
		}
	}
	e.urls = fresh
}

// nodeIndex finds or makes the index of a node's name. Beyond what fits all share the
// first one, the empty name: then it is not known who was last.
func (e *Engine) nodeIndex(name string) uint16 {
	i, ok := e.nodeByName[name]
	if !ok && len(e.nodes) < 1<<16 {
		i = uint16(len(e.nodes))
		e.nodes = append(e.nodes, name)
		e.nodeByName[name] = i
	}
	return i
}

// row is the part of the store's row that is kept, as it was put.
func (e *Engine) row(r *record) store.Site {
	return store.Site{
		ID: r.id, BlogID: r.blog, Bucket: r.bucket, URL: e.urls.text(r.url),
		Interval: time.Duration(r.interval) * time.Minute, Status: check.StatusRunning,
		Settings: e.settings.list[r.settings], StatusSince: r.since.time(),
	}
}
