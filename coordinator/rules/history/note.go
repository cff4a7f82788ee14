package history

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// Note is one result, in 16 bytes.
type Note struct {
	Site check.SiteID
	// Turn is the number of the turn; see schedule.Turn.
	Turn uint32
	// Interval is the site's, in seconds.
	Interval uint16
	Code     Code
	// Region is the place where the check was made, as a number of the book; 0 when that is not known.
	Region uint8
}

// Noted returns the turn and the interval of a check as a Note has them. The turn is the one
// nearest to due, or, with a zero due, for a check that was no routine check, the last one
// before the check was made. It is false when the interval is not one of whole seconds up to
// MaxInterval.
func Noted(site check.SiteID, interval time.Duration, due, made time.Time) (turn uint32, seconds uint16, ok bool) {
	if interval < time.Second || interval > MaxInterval || interval%time.Second != 0 {
		return 0, 0, false
	}
	var n int64
	if due.IsZero() {
		n = schedule.TurnBefore(site, interval, made)
	} else {
		n = schedule.Turn(site, interval, due)
	}
	if n < 0 || n > 1<<32-1 {
		return 0, 0, false
	}
	return uint32(n), uint16(interval / time.Second), true
}

// MaxInterval is the longest interval of which turns are noted.
const MaxInterval = (1<<16 - 1) * time.Second

// MaxRegions is how many regions a book tells apart; checks from further ones are of none.
const MaxRegions = 250

// NotesAge is how long notes stay in a book, at least, when nobody takes them. A book that needs
// room for more drops what is older: so it has a bound, by what comes in that time, when who
// should take the notes is stuck.
const NotesAge = 30 * time.Minute

const pageSize = 256

// Book holds the notes that nobody has taken yet, by bucket, in the order in which they came.
// NewBook makes one. It is not safe for concurrent use.
type Book struct {
	// fresh are the newest notes of all buckets. They go to the pages of their buckets together:
	// these are far apart in memory, and waiting for each alone would cost more than the rest.
	fresh []freshNote
	// last are the pages that have room, nil without any notes, and used how many notes are on
	// them. full are those before, the oldest first.
	last [check.Buckets]*page
	used [check.Buckets]uint16
	full [check.Buckets][]*page
	// spare are pages to use again.
	spare   []*page
	regions []string
	numbers map[string]uint8
	// now is the present, in seconds of Unix time.
	now     int64
	dropped uint64
}

type freshNote struct {
	Note
	bucket check.BucketID
}

const maxFresh = 1 << 10

type page struct {
	// begun is when the page was, in seconds of Unix time.
	begun int64
	notes [pageSize]Note
}

// NewBook makes an empty book.
func NewBook() *Book {
	return &Book{fresh: make([]freshNote, 0, maxFresh), regions: []string{""}, numbers: map[string]uint8{"": 0}}
}

// Region returns the number of a region.
func (b *Book) Region(name string) uint8 {
	n, known := b.numbers[name]
	if !known && len(b.regions) <= MaxRegions {
		n = uint8(len(b.regions))
		b.regions, b.numbers[name] = append(b.regions, name), n
	}
	return n
}

// maxPlaces is how many names a book gives to places; the others are for regions.
const maxPlaces = 200

// Place returns the number of the place of a checker; that of its region when there are too many
// checkers, as where each process has another name.
func (b *Book) Place(region, checker string) uint8 {
	place := Place(region, checker)
	if n, known := b.numbers[place]; known {
		return n
	}
	if len(b.regions) > maxPlaces {
		return b.Region(region)
	}
	return b.Region(place)
}

// At tells the book when the notes that follow are made.
func (b *Book) At(now time.Time) { b.now = now.Unix() }

// Dropped returns how many notes were dropped because nobody took them.
func (b *Book) Dropped() uint64 { return b.dropped }

// Note adds a note of a site of a bucket.
func (b *Book) Note(bucket check.BucketID, n Note) {
	b.fresh = append(b.fresh, freshNote{n, bucket})
	if len(b.fresh) == maxFresh {
		b.enter()
	}
}

// enter enters the fresh notes on the pages of their buckets.
func (b *Book) enter() {
	for i := range b.fresh {
		n := &b.fresh[i]
		p, used := b.last[n.bucket], b.used[n.bucket]
		if p == nil || used == pageSize {
			p, used = b.turn(n.bucket), 0
		}
		p.notes[used] = n.Note
		b.used[n.bucket] = used + 1
	}
	b.fresh = b.fresh[:0]
}

// turn turns to a new page of a bucket, and drops those that are too old.
func (b *Book) turn(bucket check.BucketID) *page {
	full := b.full[bucket]
	if p := b.last[bucket]; p != nil {
		full = append(full, p)
	}
	old := 0
	for old < len(full) && full[old].begun < b.now-int64(NotesAge/time.Second) {
		old++
	}
	b.dropped += uint64(old) * pageSize
	b.keep(full[:old])
	b.full[bucket] = slices.Delete(full, 0, old)
	var p *page
	if n := len(b.spare); n > 0 {
		p, b.spare = b.spare[n-1], b.spare[:n-1]
	} else {
		p = new(page)
	}
	p.begun = b.now
	b.last[bucket] = p
	return p
}

// Taken are the notes of a shard that were taken out of a book.
type Taken struct {
	// pages are full but for the last one of each bucket, on which are used notes.
	pages [shard.BucketsPer][]*page
	used  [shard.BucketsPer]uint16
	// Regions has the name of each number in the notes.
	Regions []string
}

// Take takes the notes of a shard out of the book.
func (b *Book) Take(s shard.ID) Taken {
	b.enter()
	t := Taken{Regions: b.regions[:len(b.regions):len(b.regions)]}
	for i := range t.pages {
		at := int(s)*shard.BucketsPer + i
		if last := b.last[at]; last != nil {
			t.pages[i], t.used[i] = append(b.full[at], last), b.used[at]
		}
		b.full[at], b.last[at], b.used[at] = nil, nil, 0
	}
	return t
}

// Len returns how many notes were taken.
func (t *Taken) Len() (n int) {
	for i := range t.pages {
		t.Notes(i, func(notes []Note) { n += len(notes) })
	}
	return n
}

// Notes calls f with the notes of the bucket number i of the shard, some at a time. f may change
// them.
func (t *Taken) Notes(i int, f func([]Note)) {
	for j, p := range t.pages[i] {
		if j < len(t.pages[i])-1 {
			f(p.notes[:])
		} else {
			f(p.notes[:t.used[i]])
		}
	}
}

// Reuse gives the memory of notes back that are no longer needed.
func (b *Book) Reuse(t Taken) {
	for _, pages := range t.pages {
		b.keep(pages)
	}
}

// keep keeps pages to use them again. What was needed in a rush is not kept for ever.
func (b *Book) keep(pages []*page) {
	const most = 1 << 12
	b.spare = append(b.spare, pages[:min(len(pages), max(0, most-len(b.spare)))]...)
}
