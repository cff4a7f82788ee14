package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// life is a site with its coordinators, one after the other, and a WordPress.com.
type life struct {
	t      *testing.T
	db     Database
	r      *rand.Rand
	stores map[bool]store.Store // by legacy writes
	fence  shard.Fence

	id   check.SiteID
	now  time.Time
	up   bool // the truth
	away int  // of ten deliveries, so many do not go well
	// beside is a life without legacy writes, in which v1 is at work while we are muted;
	// silenced is set once we have noted that. overtaken is set once v1 has written the row since
	// the coordinator took the site over from it.
	beside, silenced, overtaken bool
	keys                        int

	// The coordinator's.
	writes, muted bool
	site          record.Site
	state         lifecycle.State

	// WordPress.com's: what it heard last, the keys that it knows, and whether a notification
	// was withdrawn since, so that it may hear the same again.
	heard    check.Status
	received map[string]bool
	again    bool
	// withdrawn is when a muted coordinator had withdrawn all that waited.
	withdrawn time.Time
}

// mutedLives lets sites of v1 live through random trouble: they fail and come back, while
// coordinators with any switches follow one another and WordPress.com is away at times.
// In the end all is calm, and what WordPress.com heard must be true.
func mutedLives(t *testing.T, db Database, random *rand.Rand) {
	stores := map[bool]store.Store{true: db.Open(t, true), false: db.Open(t, false)}
	fence := own(t, stores[true], "a", 7)
	for n := range 50 {
		l := &life{
			t: t, db: db, r: rand.New(rand.NewPCG(random.Uint64(), 0)), stores: stores, fence: fence,
			now: noon(), received: map[string]bool{},
		}
		row := legacyRow{check.Status(l.r.IntN(3)), noon().Add(-time.Duration(l.r.IntN(200)) * time.Minute)}
		if l.r.IntN(3) == 0 {
			row.changed = time.Time{}
		}
		name := fmt.Sprintf("https://life-%d.example.com/", n)
		insertRow(t, db, name, row)
		l.id, l.heard, l.up = siteOf(t, stores[true], name).ID, row.status, l.r.IntN(2) == 0
		l.away, l.beside = n%10, n%3 == 0
		l.restart(l.r.IntN(2) == 0)
		for range 60 {
			l.something()
		}
		l.restart(false)
		for range 15 { // longer than the notice window
			l.checks()
			l.deliver(true)
		}
		if (l.heard == check.StatusRunning) != l.up {
			t.Errorf("life %d: WordPress.com heard %d last, and that the site is up is %t", n, l.heard, l.up)
		}
		if l.up && l.read().OutageID != 0 {
			t.Errorf("life %d: an outage is open", n)
		}
		must(t, stores[true].DeleteSite(t.Context(), l.id, l.now, nil))
		if t.Failed() {
			return
		}
	}
}

func (l *life) something() {
	switch l.r.IntN(12) {
	case 0, 1:
		l.up = !l.up
	case 2, 3:
		l.restart(l.r.IntN(2) == 0)
	case 4:
		e := store.Expiry{Ballots: l.now, Outages: l.now.Add(-time.Hour)}
		get[int](l.t)(l.stores[l.writes].Expire(l.t.Context(), l.fence, e, 100))
	default:
		l.checks()
		l.deliver(l.r.IntN(10) >= l.away)
	}
}

// restart begins the life of another coordinator. One that is muted notes that, unless it
// ends before.
func (l *life) restart(muted bool) {
	l.writes, l.muted = !l.beside && l.r.IntN(2) == 0, muted
	if l.silenced = muted && l.r.IntN(2) == 0; l.silenced {
		if get[int](l.t)(l.stores[l.writes].Mute(l.t.Context(), l.fence, 100)) > 0 {
			l.again = true
		}
		l.withdrawn = l.now
	}
	l.begin()
}

func (l *life) read() record.Site {
	return get[record.Site](l.t)(l.stores[l.writes].Site(l.t.Context(), l.id))
}

// begin takes the site over from the store, as the engine does.
func (l *life) begin() {
	l.site, l.overtaken = l.read(), false
	unsettled := false
	if k := l.site.Untold; k != nil && !l.muted {
		l.site.Status, l.site.StatusSince = k.Status, k.Since
		unsettled = k.Status == check.StatusRunning && (k.Unsure || l.site.OutageID != 0)
	}
	l.state = lifecycle.Initial(l.site.Status, l.site.StatusSince, false)
	l.state.Unsettled = unsettled
}

// checks is five minutes of checks.
func (l *life) checks() {
	outcome := check.OutcomeDown
	if l.up {
		outcome = check.OutcomeUp
	}
	for n, node := range []string{"x", "y", "x"} {
		at := l.now.Add(time.Duration(n) * 20 * time.Second)
		l.step(lifecycle.Observed{At: at, Node: node, Outcome: outcome})
	}
	if l.beside && l.silenced {
		l.v1()
	}
	l.now = l.now.Add(5 * time.Minute)
}

// v1 goes on from the row, which it has for what WordPress.com knows, and tells it at once.
func (l *life) v1() {
	row := legacyRow{status: check.Status(l.db.Int(l.t, "SELECT site_status FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", l.id))}
	for _, told := range v1(row, l.up)[:min(1, len(v1(row, l.up)))] {
		l.heard, l.overtaken = told.To, true
		l.writeRow()
	}
}

// writeRow is WordPress.com, where we do not write.
func (l *life) writeRow() {
	l.db.Exec(l.t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ? WHERE jetpack_monitor_site_id = ?",
		int(l.heard), l.now.Format("2006-01-02 15:04:05"), l.id)
}

func (l *life) step(e lifecycle.Event) {
	next, effects := lifecycle.Step(l.state, e, lifecycle.DefaultPolicy())
	l.state = next
	for _, e := range effects {
		switch e := e.(type) {
		case lifecycle.Verify:
			verdict := quorum.Confirmed
			if l.up {
				verdict = quorum.Rejected
			}
			l.step(lifecycle.Decided{At: l.now, Ballot: e.Ballot, Verdict: verdict})
		case lifecycle.Change:
			l.commit(e)
		}
	}
}

func (l *life) commit(e lifecycle.Change) {
	l.keys++
	c := change(l.site, e.From, e.To, fmt.Sprintf("%d-%d", l.id, l.keys))
	c.Since, c.Start, c.At, c.Muted = l.site.StatusSince, e.Start, e.At, l.muted
	waits := get[int](l.t)(CountNotifications(l.t.Context(), l.stores[l.writes], allShards()))
	_, err := Commit(l.t.Context(), l.stores[l.writes], l.fence, c)
	if fault.Is(err, fault.Conflict) && l.overtaken {
		l.begin() // as the engine does with a change that does not fit
		return
	}
	must(l.t, err)
	if l.muted && waits > 0 {
		l.again, l.withdrawn = true, e.At // what waited
	}
	if l.r.IntN(2) == 0 {
		l.site.Status, l.site.StatusSince = c.To, c.At // goes on
		return
	}
	l.begin()
}

// deliver sends what waits, one after the other. If it does not go well, WordPress.com
// refuses, or takes a notification and its answer is lost.
func (l *life) deliver(well bool) {
	if l.muted {
		return
	}
	s := l.stores[l.writes]
	for {
		notifications := due(l.t, s, l.now.Add(time.Hour), 10)
		if len(notifications) == 0 {
			return
		}
		n := notifications[0]
		if n.Change.At.Before(l.withdrawn) {
			l.t.Errorf("site %d: status %d of %v is sent, and was withdrawn at %v", l.id, n.Change.To, n.Change.At, l.withdrawn)
		}
		if well || l.r.IntN(2) == 0 {
			l.hear(n)
		}
		if !well {
			must(l.t, Postpone(l.t.Context(), s, n, l.now, "no answer"))
			return
		}
		must(l.t, Accept(l.t.Context(), s, n, l.now))
	}
}

// hear is WordPress.com, which recognises a notification by its key.
func (l *life) hear(n delivery.Due) {
	if l.received[n.Key] {
		return
	}
	l.received[n.Key] = true
	switch to := n.Change.To; {
	case to == l.heard && !l.again:
		l.t.Errorf("site %d: WordPress.com hears %d a second time, %s", l.id, to, n.Key)
	case to == check.StatusConfirmedDown && l.heard != check.StatusDown:
		l.t.Errorf("site %d: WordPress.com hears 2 after %d, %s", l.id, l.heard, n.Key)
	}
	l.heard, l.again = n.Change.To, false
	if !l.writes {
		l.writeRow()
	}
}
