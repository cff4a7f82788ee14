package logbook_test

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// The model keeps every check as a row. It knows what was noted, by whom, and what of that is in
// the database; it knows nothing of bytes, blobs and hours.

// turn is a turn of a site.
type turn struct {
	site     check.SiteID
	interval time.Duration
	n        int64
}

func (x turn) at() time.Time { return schedule.TurnTime(x.site, x.interval, x.n) }

// row is a check.
type row struct {
	turn
	bucket check.BucketID
	code   history.Code
	took   time.Duration
	region string
	// late means that its result came minutes after the check.
	late bool
}

// rows are all checks that are kept, by turn, in the order in which they were noted.
type rows map[turn][]row

// best are the codes of a turn that know most, the earliest first.
func best(of []row) (codes []history.Code) {
	known := func(c history.Code) bool { return c != history.Unknown }
	for _, r := range of {
		if len(codes) > 0 && known(r.code) && !known(codes[0]) {
			codes = nil
		}
		if len(codes) == 0 || known(r.code) == known(codes[0]) {
			codes = append(codes, r.code)
		}
	}
	return codes
}

// node is a coordinator: an engine, and a logbook.
type node struct {
	name string
	*logbook.Logbook
	desk   *desk
	shards holder
	// skew is by how much its clock is wrong; last is the last minute of it.
	skew time.Duration
	last time.Time
	// noted are in the memory of the engine, waiting have been taken from there.
	noted, waiting map[shard.ID][]row
	// late are results that come later.
	late []row
}

// world is what happens.
type world struct {
	*rand.Rand
	t     *testing.T
	store *shaky
	// calm means that clocks are right and nothing breaks.
	calm bool
	// prompt means that no result comes late: what does is folded an hour later only.
	prompt bool
	now    time.Time
	nodes  []*node
	sites  []record.Site
	kept   rows
	// awayUntil is when the database is there again.
	awayUntil time.Time
	owners    map[shard.ID]*node
	reader    *logbook.Reader
	names     int
	// claims counts takeovers.
	claims int
}

func newWorld(t *testing.T, s *shaky, seed uint64) *world {
	w := &world{
		Rand: rand.New(rand.NewPCG(seed, 19)), t: t, store: s, calm: seed%2 == 0, kept: rows{}, owners: map[shard.ID]*node{},
		now: time.Date(2026, 3, 1, 21, 17, 0, 0, time.UTC),
	}
	w.reader = logbook.NewReader(s.Store, slog.New(slog.NewTextHandler(t.Output(), nil)))
	w.reader.SetClock(func() time.Time { return w.now })
	for range 2 {
		w.nodes = append(w.nodes, w.newNode())
	}
	for i := range 10 {
		w.addSite(i)
	}
	for _, id := range w.shards() {
		w.give(id, w.nodes[0])
	}
	return w
}

func (w *world) shards() []shard.ID { return []shard.ID{0, 31} }

func (w *world) newNode() *node {
	w.names++
	n := &node{name: fmt.Sprint("node-", w.names), desk: newDesk(), shards: holder{}, noted: map[shard.ID][]row{}, waiting: map[shard.ID][]row{}}
	n.Logbook = newLogbook(w.t, logbook.Options{
		Engine: n.desk, Store: w.store, Shards: n.shards, Clock: func() time.Time { return w.now.Add(n.skew) },
	})
	n.last = w.now
	return n
}

// addSite adds a site; few share a part or a bucket.
func (w *world) addSite(i int) {
	id := check.SiteID(1 + i + i%3*1<<history.PartBits)
	bucket := []check.BucketID{0, 3, 511}[i%3]
	w.sites = append(w.sites, record.Site{ID: id, Bucket: bucket, Interval: w.interval()})
}

func (w *world) interval() time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 5 * time.Minute, 90 * time.Second, 30 * time.Minute}[w.IntN(5)]
}

// give has a node own a shard from now on. The one before does not know.
func (w *world) give(id shard.ID, n *node) {
	w.claims++
	n.shards[id] = claim(w.t, w.store, n.name, id, w.now.Add(time.Hour*time.Duration(w.claims)))
	w.owners[id] = n
}

func (w *world) chance(percent float64) bool { return w.Float64()*100 < percent }

// minute lets a minute pass.
func (w *world) minute() {
	w.now = w.now.Add(time.Minute)
	w.store.away = w.now.Before(w.awayUntil)
	for _, n := range w.nodes {
		w.checks(n)
		n.last = w.now.Add(n.skew)
	}
	if w.now.Minute()%10 == 0 {
		for _, n := range w.nodes {
			for _, id := range w.shards() {
				w.flush(n, id)
			}
		}
	}
}

// checks has the checks of a node's sites be made that are due in the last minute of its clock.
func (w *world) checks(n *node) {
	to := w.now.Add(n.skew)
	from := to.Add(-time.Minute)
	if from.Before(n.last) {
		from = n.last
	}
	for i, s := range w.sites {
		id := shard.Of(s.Bucket)
		if w.owners[id] != n || s.Paused || !from.Before(to) {
			continue
		}
		for k := schedule.TurnBefore(s.ID, s.Interval, from) + 1; k <= schedule.TurnBefore(s.ID, s.Interval, to); k++ {
			w.check(n, s, turn{s.ID, s.Interval, k})
		}
		if w.chance(0.05) {
			w.sites[i].Interval = w.interval()
		}
	}
	late := n.late
	n.late = nil
	for _, r := range late {
		if w.chance(10) {
			w.note(n, r)
		} else {
			n.late = append(n.late, r)
		}
	}
}

func (w *world) check(n *node, s record.Site, x turn) {
	r := row{turn: x, bucket: s.Bucket, region: []string{"", "eu", "us"}[w.IntN(3)]}
	r.took = time.Duration(float64(40+30*s.ID%900) * math.Exp(0.4*w.NormFloat64()) * float64(time.Millisecond))
	switch p := w.Float64() * 100; {
	case p < 4:
		return // no check
	case p < 7:
		r.code = history.Failed
	case p < 9:
		r.code = history.Unknown
	case p < 10:
		r.code = history.Blocked
	default:
		r.code = history.Took(r.took)
	}
	if w.chance(2) && !w.prompt {
		r.late = true
		n.late = append(n.late, r)
		return
	}
	w.note(n, r)
	if w.chance(2) {
		w.note(n, r) // doubled
	}
	if w.chance(2) { // another check, for the turn before it
		r.took *= 2
		r.code = history.Took(r.took)
		w.note(n, r)
	}
}

func (w *world) note(n *node, r row) {
	id := shard.Of(r.bucket)
	if w.owners[id] != n {
		return // a result of a shard that is lost does not count
	}
	turnNo, seconds, ok := history.Noted(r.site, r.interval, r.at(), time.Time{})
	if !ok || int64(turnNo) != r.n {
		w.t.Fatalf("turn %v is noted as %d, %v", r, turnNo, ok)
	}
	n.desk.mu.Lock()
	region := n.desk.book.Region(r.region)
	n.desk.mu.Unlock()
	n.desk.note(r.bucket, history.Note{Site: r.site, Turn: turnNo, Interval: seconds, Code: r.code, Region: region})
	n.noted[id] = append(n.noted[id], r)
}

// flush is a turn of a logbook, and what it means for the model.
func (w *world) flush(n *node, id shard.ID) {
	if _, ours := n.shards[id]; ours {
		clock := w.now.Add(n.skew)
		for _, r := range n.noted[id] {
			if !history.HourOf(r.at()).Start().After(history.HourOf(clock).Start().Add(time.Hour)) {
				n.waiting[id] = append(n.waiting[id], r)
			}
		}
		n.noted[id] = nil
	}
	w.store.deaf = !w.calm && w.chance(3)
	n.Tend(w.t.Context(), id)
	if w.store.away {
		return
	}
	wasDeaf := w.store.deaf
	for _, of := range w.shards() {
		if w.owners[of] == n && w.current(n, of) {
			for _, r := range n.waiting[of] {
				w.kept[r.turn] = append(w.kept[r.turn], r)
			}
		}
		n.waiting[of] = nil
	}
	if w.store.deaf = false; wasDeaf {
		n.Tend(w.t.Context(), id) // what the database has is written again
	}
}

// current reports whether a node's fence is that of the owner.
func (w *world) current(n *node, id shard.ID) bool { return n.shards[id].Node == n.name }

// event has something happen, now and then.
func (w *world) event() {
	id := w.shards()[w.IntN(2)]
	switch p := w.Float64() * 1000; {
	case p < 2: // a handover in order
		w.flush(w.owners[id], id)
		if _, bytes := w.owners[id].Waiting(); bytes == 0 {
			w.move(id)
		}
	case p < 4: // a site is paused, or goes on
		s := &w.sites[w.IntN(len(w.sites))]
		s.Paused = !s.Paused
	case p < 5:
		w.addSite(len(w.sites))
	case w.calm:
	case p < 6: // a takeover: the one before does not know, and its notes are lost
		w.move(id)
	case p < 8: // a kill
		w.kill(w.IntN(2))
	case p < 9:
		w.awayUntil = w.now.Add(time.Duration(w.IntN(200)) * time.Minute)
	case p < 10:
		n := w.nodes[w.IntN(2)]
		n.skew = time.Duration(w.IntN(240)-150) * time.Minute
	case p < 14:
		w.nodes[w.IntN(2)].skew = 0
	}
}

// move gives a shard to the other node. What the old one has noted and not written is void: its
// engine has no notes of a shard that it lost.
func (w *world) move(id shard.ID) {
	old := w.owners[id]
	next := w.nodes[0]
	if next == old {
		next = w.nodes[1]
	}
	if w.calm || w.chance(50) {
		delete(old.shards, id)
	}
	old.desk.TakeNotes(id)
	old.noted[id], old.waiting[id] = nil, nil
	w.give(id, next)
}

// kill kills a node. Another process takes over.
func (w *world) kill(i int) {
	old := w.nodes[i]
	w.nodes[i] = w.newNode()
	w.nodes[i].skew = old.skew
	for id, owner := range w.owners {
		if owner == old {
			w.give(id, w.nodes[i])
		}
	}
}

// settle lets a time pass in which nothing breaks, and every check is folded.
func (w *world) settle(d time.Duration) {
	for _, n := range w.nodes {
		n.skew, n.late = 0, nil
	}
	w.awayUntil = time.Time{}
	for end := w.now.Add(d); w.now.Before(end); {
		w.prompt = end.Sub(w.now) < 3*time.Hour
		w.minute()
	}
	w.prompt = false
	for range 2 {
		for _, n := range w.nodes {
			for _, id := range w.shards() {
				w.flush(n, id)
			}
		}
	}
}

func TestHistoryIsWhatAModelSaysThatKeepsEveryCheck(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1, 2, 3, 11}, func(t *testing.T, seed uint64) {
		onEach(t, func(t *testing.T, s *shaky) {
			w := newWorld(t, s, seed)
			minutes := 60 * (30 + w.IntN(30))
			for i := range minutes {
				w.minute()
				w.event()
				if i%601 == 600 && !w.store.away {
					w.compareTurns(w.now.Add(-time.Duration(w.IntN(3000))*time.Minute), w.now)
				}
			}
			w.settle(5 * time.Hour)
			w.compareAll()
			w.settle(32 * time.Hour)
			w.compareAll()
			if n := w.reader.Damaged(); n != 0 {
				t.Errorf("%d damaged rows", n)
			}
			t.Logf("%d turns of %d sites compared", len(w.kept), len(w.sites))
		})
	})
}

// got reads the turns of a site that are known, and until when.
func (w *world) got(s record.Site, from, to time.Time) (map[turn]history.Code, time.Time) {
	w.t.Helper()
	sheet, until, err := w.reader.Turns(w.t.Context(), s, from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[turn]history.Code{}
	for i := range sheet.Strips {
		x := &sheet.Strips[i]
		for k, c := range x.Codes {
			if c == history.None {
				continue
			}
			at := turn{x.Site, x.Interval, x.First + int64(k)}
			if was, twice := got[at]; twice {
				w.t.Errorf("turn %v is %d and %d", at, was, c)
			}
			got[at] = c
			if x.Site != s.ID || at.at().Before(from) || !at.at().Before(to) {
				w.t.Errorf("turn %v is not of site %d from %v to %v", at, s.ID, from, to)
			}
			if region := x.Regions; region != nil && !slices.ContainsFunc(w.kept[at], func(r row) bool { return r.region == sheet.Regions[region[k]] }) {
				w.t.Errorf("turn %v was checked from %q", at, sheet.Regions[region[k]])
			}
		}
	}
	return got, until
}

// compareTurns compares the turns of all sites in a period.
func (w *world) compareTurns(from, to time.Time) {
	w.t.Helper()
	for _, s := range w.sites {
		got, until := w.got(s, from, to)
		if until.Before(to.Add(-15*time.Minute)) || until.After(to) {
			w.t.Errorf("known until %v, of %v", until, to)
		}
		want := 0
		for at, all := range w.kept {
			if at.site != s.ID || at.at().Before(from) || !at.at().Before(to) {
				continue
			}
			want++
			codes := best(all)
			if c := got[at]; w.calm && c != codes[0] || !slices.Contains(codes, c) {
				w.t.Errorf("turn %v of %v is %d, want %v", at, at.at(), c, codes)
			}
		}
		if len(got) != want {
			w.t.Errorf("site %d has %d turns from %v to %v, want %d", s.ID, len(got), from, to, want)
		}
		if w.calm {
			w.wantFlushed(s, until)
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// wantFlushed wants nothing that was noted in time to be in memory only that is called known.
func (w *world) wantFlushed(s record.Site, until time.Time) {
	w.t.Helper()
	for _, n := range w.nodes {
		for _, r := range n.noted[shard.Of(s.Bucket)] {
			if r.site == s.ID && !r.late && r.at().Before(until) && w.kept[r.turn] == nil {
				w.t.Errorf("turn %v is in memory, and history is called known until %v", r.at(), until)
			}
		}
	}
}

// compareAll compares turns, days and the fleet's hours.
func (w *world) compareAll() {
	w.t.Helper()
	first := w.now
	for at := range w.kept {
		if at.at().Before(first) {
			first = at.at()
		}
	}
	w.compareTurns(first, w.now)
	all := map[turn]history.Code{}
	for _, s := range w.sites {
		got, _ := w.got(s, first, w.now)
		maps.Copy(all, got)
	}
	w.compareDays(all, history.DayOf(first))
	w.compareFleet(all)
}
