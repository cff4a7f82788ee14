package roster

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/internal/check"
)

// Entry is the state of a compact site: 64 bytes without a pointer, one cache line. The
// URL, the place on the agenda and the index entry are kept elsewhere.
type Entry struct {
	id   check.SiteID // 0: the slot is free
	blog check.BlogID
	url  span
	// sequence is the number of the newest check.
	sequence uint32
	// last is the end of the newest check, in grains since Table.start; 0: none.
	last     uint32
	settings uint32 // index into Table.settings
	host     uint32 // see Hosts
	// next and prev link the slots of a bucket; noSlot at the ends.
	next, prev uint32
	since      moment // when the status began
	bucket     check.BucketID
	node       uint16 // index into Table.nodes: the node of the newest check
	seen       seen   // what the newest check saw
	rtt        uint16 // its duration in milliseconds
	interval   uint8  // minutes
	flags      flags
}

// ID returns the site's id; 0 when the slot is free.
func (r *Entry) ID() check.SiteID { return r.id }

// BlogID returns the site's blog.
func (r *Entry) BlogID() check.BlogID { return r.blog }

// Bucket returns the site's bucket.
func (r *Entry) Bucket() check.BucketID { return r.bucket }

// Interval returns the site's own interval, 1 to 255 minutes.
func (r *Entry) Interval() time.Duration { return time.Duration(r.interval) * time.Minute }

// Stage returns the site's stage.
func (r *Entry) Stage() lifecycle.Stage { return lifecycle.Stage(r.flags >> stageShift) }

// Host returns the site's host; see Hosts. It is never 0.
func (r *Entry) Host() uint32 { return r.host }

// Sequence returns the number of the newest check.
func (r *Entry) Sequence() uint64 { return uint64(r.sequence) }

// Urgent reports whether the newest check was a re-check or a second look.
func (r *Entry) Urgent() bool { return r.has(flagUrgent) }

// HeadHostile reports whether HEAD fails at the site where GET works.
func (r *Entry) HeadHostile() bool { return r.has(flagHeadHostile) }

// PageFilled reports whether the page was not empty when it was last judged.
func (r *Entry) PageFilled() bool { return r.has(flagPageFilled) }

// Remarked reports whether there is something to remark about the site; see package remarks.
func (r *Entry) Remarked() bool { return r.seen&seenRemarked != 0 }

// Remark records whether there is something to remark about the site.
func (r *Entry) Remark(is bool) {
	r.seen &^= seenRemarked
	if is {
		r.seen |= seenRemarked
	}
}

// Routine records that a routine check has taken the next number.
func (r *Entry) Routine() {
	r.sequence++
	r.set(flagUrgent, false)
}

func (r *Entry) setStage(s lifecycle.Stage) { r.flags = r.flags&flagsAll | flags(s)<<stageShift }

// has and set read and write one flag.
func (r *Entry) has(f flags) bool { return r.flags&f != 0 }

func (r *Entry) set(f flags, on bool) {
	r.flags &^= f
	if on {
		r.flags |= f
	}
}

// good stores a good check.
func (r *Entry) good(o *check.Observation) {
	r.seen = r.seen&seenRemarked | seenIn(o)
	r.rtt = uint16(min(o.Timing.Total/time.Millisecond, 1<<16-1))
	r.set(flagGet, o.Method == check.MethodGet)
}

// observation returns what the entry keeps of a good check.
func (r *Entry) observation() *check.Observation {
	o := &check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: r.seen.status(), Advisories: r.seen.advisories(), Phase: check.PhaseDone, Method: check.MethodHead,
		Timing: check.Timing{Total: time.Duration(r.rtt) * time.Millisecond},
	}
	if r.has(flagGet) {
		o.Method = check.MethodGet
	}
	return o
}

// flags are the flags of an entry; the uppermost bits hold the stage.
type flags uint8

const (
	flagUrgent      flags = 1 << iota // of the newest check
	flagHeadHostile                   // HEAD fails where GET works
	flagGet                           // the newest check was decided by GET
	flagPageFilled                    // the page was not empty when it was last judged
	stageShift      = iota
	flagsAll        = 1<<stageShift - 1
)

// seen is what a good check saw: the HTTP status in the lower bits, and a bit for each
// advisory that an entry can hold. The highest bit, seenRemarked, is not of the check.
type seen uint16

const (
	seenStatus   seen = 1<<10 - 1
	seenRemarked seen = 1 << 15
)

func bitOf(a check.Advisory) seen { return (seenStatus + 1) << (a - 1) }

func seenIn(o *check.Observation) seen {
	s := seen(max(0, min(o.HTTPStatus, 999)))
	for _, a := range o.Advisories {
		if a >= check.AdvisoryTLSExpiring && a <= check.AdvisoryHeadUnsupported {
			s |= bitOf(a)
		}
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

// moment is a time in milliseconds, as 48 bits of Unix time; zero means none.
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

func minutes(d time.Duration) uint8 { return uint8(max(1, min(d/time.Minute, 255))) }
