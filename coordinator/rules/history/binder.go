package history

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// Binder makes sheets of notes. It keeps its memory from one call to the next; the zero Binder
// is ready. It is not safe for concurrent use.
type Binder struct {
	spare []Note
	timed []timed
	hours []*hourly
}

// Bound is what the notes say of an hour.
type Bound struct {
	Hour  Hour
	Sheet *Sheet
}

// hourly builds the sheet of an hour.
type hourly struct {
	hour Hour
	used bool
	builder
}

// timed is a note and when its turn was, in nanoseconds of Unix time.
type timed struct {
	at int64
	Note
}

// Bind makes sheets of the notes of a bucket, by rising hour; regions has the names of their
// regions. Notes may come in any order, of any turns and intervals, and may be doubled: of two
// of a turn, the one that knows more counts, then the one that comes first. Bind sorts the notes.
// The sheets, which follow from the notes as those of Merge from theirs, are valid until the next
// call.
func (b *Binder) Bind(notes []Note, regions []string) []Bound {
	notes = b.sort(notes)
	for _, h := range b.hours {
		h.used = false
	}
	for len(notes) > 0 {
		n := 1
		for n < len(notes) && notes[n].Site == notes[0].Site {
			n++
		}
		b.bind(notes[:n])
		notes = notes[n:]
	}
	var bound []Bound
	for _, h := range b.hours {
		if h.used {
			bound = append(bound, Bound{h.hour, h.finish(regions)})
		}
	}
	slices.SortFunc(bound, func(x, y Bound) int { return cmp.Compare(x.Hour, y.Hour) })
	return bound
}

// bind adds the notes of one site.
func (b *Binder) bind(notes []Note) {
	if hour, in := oneHour(notes); in {
		b.hour(hour).addNotes(notes)
		return
	}
	b.timed = b.timed[:0]
	for _, n := range notes {
		if n.Interval > 0 {
			b.timed = append(b.timed, timed{schedule.TurnTime(n.Site, n.interval(), int64(n.Turn)).UnixNano(), n})
		}
	}
	slices.SortStableFunc(b.timed, timed.compare)
	for i := range b.timed {
		t := &b.timed[i]
		b.hour(hourAt(t.at)).add(turn{t.Site, t.interval(), int64(t.Turn), t.Code, t.Region})
	}
}

// oneHour returns the hour of the notes of one site; false when they are not of one, or are under
// several intervals, or not in the order of their turns. As a rule it is true.
func oneHour(notes []Note) (Hour, bool) {
	first, last := &notes[0], &notes[len(notes)-1]
	for i := range notes {
		if notes[i].Interval != first.Interval || i > 0 && notes[i].Turn < notes[i-1].Turn {
			return 0, false
		}
	}
	if first.Interval == 0 {
		return 0, false
	}
	at := schedule.TurnTime(first.Site, first.interval(), int64(first.Turn)).UnixNano()
	h := hourAt(at)
	return h, hourAt(at+int64(last.Turn-first.Turn)*int64(first.interval())) == h
}

func hourAt(nanoseconds int64) Hour { return Hour(floorDiv(nanoseconds, int64(time.Hour))) }

func (n *Note) interval() time.Duration { return time.Duration(n.Interval) * time.Second }

func (t timed) compare(x timed) int {
	return cmp.Or(cmp.Compare(t.at, x.at), cmp.Compare(t.Interval, x.Interval))
}

// hour returns the builder of an hour. As a rule there are one or two.
func (b *Binder) hour(of Hour) *hourly {
	var free *hourly
	for _, h := range b.hours {
		if h.used && h.hour == of {
			return h
		}
		if !h.used {
			free = h
		}
	}
	if free == nil {
		free = new(hourly)
		b.hours = append(b.hours, free)
	}
	free.hour, free.used = of, true
	free.begin()
	return free
}

// digit is how many bits of a site's id are sorted at once.
const digit = 8

// sort sorts notes by site, and leaves those of a site in their order. It returns them, in their
// own memory or in that of the binder: radix sort, from the lowest digit of those that differ.
func (b *Binder) sort(notes []Note) []Note {
	if len(notes) < 1<<digit {
		slices.SortStableFunc(notes, func(x, y Note) int { return cmp.Compare(x.Site, y.Site) })
		return notes
	}
	var differ check.SiteID
	for i := range notes {
		differ |= notes[i].Site ^ notes[0].Site
	}
	b.spare = slices.Grow(b.spare[:0], len(notes))[:len(notes)]
	from, to := notes, b.spare
	for shift := 0; shift < bits.Len64(uint64(differ)); shift += digit {
		var at [1 << digit]uint32
		for i := range from {
			at[uint64(from[i].Site)>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for i := range from {
			d := uint64(from[i].Site) >> shift & (1<<digit - 1)
			to[at[d]] = from[i]
			at[d]++
		}
		from, to = to, from
	}
	return from
}
