package history

import (
	"encoding/binary"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
)

// heading says of which site and turns something is kept.
type heading struct {
	site     check.SiteID
	interval time.Duration
	first    int64
	turns    int
}

// start returns the moment of the first turn, and last that of the last one.
func (h *heading) start() time.Time { return schedule.TurnTime(h.site, h.interval, h.first) }
func (h *heading) last() time.Time {
	return schedule.TurnTime(h.site, h.interval, h.first+int64(h.turns)-1)
}

// seconds returns about when the first turn is, in seconds of Unix time, less the site's phase.
func (h *heading) seconds() int64 { return h.first * int64(h.interval/time.Second) }

// before reports whether all turns of h are before those of x. Turns are by site, then by time,
// then by interval: when an interval changes, a turn of each may come at the same moment.
func (h *heading) before(x *heading) bool {
	if h.site != x.site {
		return h.site < x.site
	}
	if h.interval == x.interval {
		return h.first+int64(h.turns) <= x.first
	}
	d := h.last().Compare(x.start())
	return d < 0 || d == 0 && h.interval < x.interval
}

// Bounds of what is stored. Times end in the year 2242, so that nanoseconds do not overflow.
const (
	maxSeconds  = 1 << 33
	maxTurns    = 1<<32 - 1
	maxInterval = uint64(MaxInterval / time.Second)
)

// headings writes headings in four columns: sites as differences, intervals in seconds, first
// turns as differences to one moment, and numbers of turns.
type headings struct {
	base                            int64 // the moment, in seconds
	site                            check.SiteID
	sites, intervals, firsts, turns []byte
	// seconds is the interval that came last, and turn the number of the turn at the moment:
	// as a rule the next one is the same.
	seconds, turn int64
}

// grow makes room for headings, as they are as a rule.
func (w *headings) grow(n int) {
	w.sites, w.intervals = make([]byte, 0, 2*n), make([]byte, 0, 2*n)
	w.firsts, w.turns = make([]byte, 0, n), make([]byte, 0, n)
}

func (w *headings) add(h *heading) {
	if seconds := int64(h.interval / time.Second); seconds != w.seconds {
		w.seconds, w.turn = seconds, w.base/seconds
	}
	w.sites = binary.AppendUvarint(w.sites, uint64(h.site-w.site))
	w.intervals = binary.AppendUvarint(w.intervals, uint64(w.seconds))
	w.firsts = binary.AppendUvarint(w.firsts, uint64(h.first-w.turn))
	w.turns = binary.AppendUvarint(w.turns, uint64(h.turns))
	w.site = h.site
}

// reading reads headings, and checks that they are in order.
type reading struct {
	base                            int64
	was                             heading
	sites, intervals, firsts, turns column
}

// next reads a heading, of at most the given turns; false when it is damaged.
func (r *reading) next(most int) (heading, bool) {
	site := r.was.site + check.SiteID(r.sites.next(1<<63-1-uint64(r.was.site)))
	seconds := int64(r.intervals.next(maxInterval))
	first, turns := r.firsts.next(maxSeconds), r.turns.next(uint64(most))
	if r.sites.bad || r.intervals.bad || r.firsts.bad || r.turns.bad || site <= 0 || seconds == 0 || turns == 0 {
		return heading{}, false
	}
	h := heading{site: site, interval: time.Duration(seconds) * time.Second, first: r.base/seconds + int64(first), turns: int(turns)}
	if (h.first+int64(turns)) > maxSeconds/seconds || r.was.site != 0 && !r.was.before(&h) {
		return heading{}, false
	}
	r.was = h
	return h, true
}
