package incident_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a Watch with what it wrote, as the store has it.
type world struct {
	*incident.Watch
	now time.Time
	// written are the incidents by id, with their members; told what others heard, in order.
	written map[int64]*incident.Written
	told    []string
	seen    []event.Event
}

func newWorld() *world {
	return &world{Watch: incident.New(incident.DefaultRule(), 1, nil), now: noon, written: map[int64]*incident.Written{}}
}

// down and up have a site change now. Its address is 192.0.2.x.
func (w *world) down(id, host int, tags ...string) {
	w.note(event.Event{
		Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id), URL: fmt.Sprintf("https://%d.example/", id), Tags: tags},
		Status: &event.StatusChange{ResolvedAddress: fmt.Sprintf("192.0.2.%d:443", host)},
	})
}

func (w *world) up(id int) {
	w.note(event.Event{Type: event.SiteUp, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id)}, Status: &event.StatusChange{Status: 1}})
}

func (w *world) note(e event.Event) {
	w.seen = append(w.seen, e)
	w.Note(w.now, &e)
}

// pass lets time pass, a second at a time.
func (w *world) pass(d time.Duration) {
	for range d / time.Second {
		w.now = w.now.Add(time.Second)
		w.advance()
	}
}

func (w *world) advance() {
	for _, c := range w.Advance(w.now) {
		i := w.written[c.ID]
		if i == nil {
			i = &incident.Written{}
			w.written[c.ID] = i
		}
		i.Incident = c.Incident
		for _, m := range c.Sites {
			if at := slices.IndexFunc(i.Sites, func(x incident.Member) bool { return x.Site == m.Site }); at >= 0 {
				i.Sites[at] = m
			} else {
				i.Sites = append(i.Sites, m)
			}
		}
		if c.Tell != event.TypeNone {
			w.told = append(w.told, fmt.Sprintf("%d %v %s %d/%d", c.ID, c.Tell, c.Value, c.Down, c.Members))
		}
	}
}

// restart has another Watch go on from what was written, and see the newest events again.
func (w *world) restart() {
	var lately []incident.Written
	next := int64(1)
	for _, id := range slices.Sorted(maps.Keys(w.written)) {
		i := w.written[id]
		next = id + 1
		if i.End.IsZero() || w.now.Sub(i.End) < incident.DefaultRule().Window {
			lately = append(lately, incident.Written{Incident: i.Incident, Sites: slices.Clone(i.Sites)})
		}
	}
	w.Watch = incident.New(incident.DefaultRule(), next, lately)
	for _, e := range w.seen {
		if w.now.Sub(e.Time.Time) <= incident.DefaultRule().Window {
			w.Note(w.now, &e)
		}
	}
}

func (w *world) want(t *testing.T, told ...string) {
	t.Helper()
	if diff := cmp.Diff(told, w.told); diff != "" {
		t.Errorf("others heard: %s", diff)
	}
}

func TestSitesThatFailTogetherAreOneIncident(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail func(w *world)
		want []string
	}{
		"of one address": {func(w *world) {
			for id := range 100 {
				w.down(id+1, 7)
			}
		}, []string{"1 INCIDENT_OPENED 192.0.2.7 100/100"}},
		"of one network": {func(w *world) {
			for id := range 100 {
				w.down(id+1, id%50)
			}
		}, []string{"1 INCIDENT_OPENED 192.0.2.0/24 100/100"}},
		"one after the other, as their checks are due": {func(w *world) {
			for id := range 300 {
				w.down(id+1, 7)
				w.pass(time.Second)
			}
		}, []string{"1 INCIDENT_OPENED 192.0.2.7 70/70", "1 INCIDENT_UPDATED 192.0.2.7 300/300"}},
		"nine are not enough": {func(w *world) {
			for id := range 9 {
				w.down(id+1, 7)
			}
		}, nil},
		"ten, of which one was up again soon": {func(w *world) {
			for id := range 10 {
				w.down(id+1, 7)
			}
			w.pass(time.Second)
			w.up(3)
		}, nil},
		"the same site ten times": {func(w *world) {
			for range 10 {
				w.down(1, 7)
				w.pass(time.Second)
			}
		}, nil},
		"ten in an hour": {func(w *world) {
			for id := range 10 {
				w.down(id+1, 7)
				w.pass(6 * time.Minute)
			}
		}, nil},
		"of one tag, on many networks": {func(w *world) {
			w.down(1000, 200, "other")
			w.pass(6 * time.Hour)
			for id := range 60 {
				w.note(event.Event{
					Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id + 1), Tags: []string{"host-a"}},
					Status: &event.StatusChange{ResolvedAddress: fmt.Sprintf("198.51.%d.1:80", id)},
				})
			}
		}, []string{"1 INCIDENT_OPENED host-a 60/60"}},
		"of one tag, when nobody knows yet how many of it fail": {func(w *world) {
			for id := range 60 {
				w.note(event.Event{
					Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id + 1), Tags: []string{"host-a"}},
					Status: &event.StatusChange{ResolvedAddress: fmt.Sprintf("198.51.%d.1:80", id)},
				})
			}
		}, nil},
		"two at once": {func(w *world) {
			for id := range 20 {
				w.down(id+1, 7, "x")
				w.note(event.Event{
					Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id + 101)},
					Status: &event.StatusChange{ResolvedAddress: "[2001:db8::1]:443"},
				})
			}
		}, []string{"1 INCIDENT_OPENED 192.0.2.7 20/20", "2 INCIDENT_OPENED 2001:db8::1 20/20"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.fail(w)
			w.pass(5 * time.Minute)
			slices.Sort(w.told)
			if name == "two at once" { // either may come first
				for i := range w.told {
					w.told[i] = w.told[i][2:]
				}
				slices.Sort(w.told)
				for i := range w.told {
					w.told[i] = fmt.Sprint(i+1, " ", w.told[i])
				}
			}
			w.want(t, tt.want...)
		})
	}
}

// Of a tag that a tenth of all sites have, some fail all the time.
func TestWhatUsuallyFailsIsNoIncident(t *testing.T) {
	t.Parallel()
	w := newWorld()
	id := 0
	fail := func(n int) {
		for range n {
			id++
			w.note(event.Event{
				Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id), Tags: []string{"eu"}},
				Status: &event.StatusChange{ResolvedAddress: fmt.Sprintf("10.%d.%d.1:443", id/200, id%200)},
			})
		}
	}
	for range 3 * 24 * 60 { // three days, a failure a minute
		fail(1)
		w.now = w.now.Add(time.Minute)
		w.advance()
	}
	w.want(t)
	fail(300)
	w.pass(2 * time.Minute)
	if len(w.told) != 1 {
		t.Errorf("300 at once are no incident: %v", w.told)
	}
}

func TestWhatIsKnownLaterCountsToo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.down(1000, 200, "other")
	w.pass(6 * time.Hour) // it is known what is usual
	fail := func(id int) {
		w.note(event.Event{
			Type: event.SiteDown, Time: event.At(w.now), Site: &event.Site{ID: check.SiteID(id)}, Status: &event.StatusChange{},
		})
	}
	server := incident.Shared{Cause: incident.NameServer, Value: "ns1.example"}
	for id := range 12 {
		fail(id + 1)
	}
	w.pass(time.Minute)
	w.want(t)
	for id := range 10 {
		w.Share(w.now, check.SiteID(id+1), server, incident.Shared{Cause: incident.NameServer, Value: fmt.Sprint("ns", id)})
	}
	w.Share(w.now, 77, server) // is of no failure
	w.pass(time.Minute)
	w.want(t, "1 INCIDENT_OPENED ns1.example 10/10")
	w.Share(w.now, 11, server)
	fail(13)
	w.Share(w.now, 13, server)
	w.pass(time.Second)
	if i := w.written[1]; i.Members != 12 || w.Candidates() != 1 {
		t.Errorf("%d members, %d candidates", i.Members, w.Candidates())
	}
}

func TestAnIncidentEndsWhenAllButAFewAreUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for id := range 100 {
		w.down(id+1, 7)
	}
	w.pass(time.Minute)
	for id := range 94 {
		w.up(id + 1)
	}
	w.pass(time.Hour)
	w.want(t, "1 INCIDENT_OPENED 192.0.2.7 100/100")
	w.up(95)
	w.pass(time.Minute)
	w.down(1, 7) // not yet
	w.pass(time.Hour)
	w.up(1)
	w.pass(3 * time.Minute)
	w.want(t, "1 INCIDENT_OPENED 192.0.2.7 100/100", "1 INCIDENT_RESOLVED 192.0.2.7 5/100")
	// Those that are still down make no other one, and neither does their end.
	for id := 5; id < 13; id++ {
		w.down(id, 7)
	}
	for id := 96; id <= 100; id++ {
		w.up(id)
	}
	w.pass(time.Minute)
	if len(w.told) != 2 || w.Open() != 0 || w.Candidates() != 8 {
		t.Errorf("told %v, %d are open, %d candidates", w.told, w.Open(), w.Candidates())
	}
}

// Whatever happens, and however often another goes on: each incident is told to open once and to
// end once, what it counts is what its members say, and no site is in two.
func TestAnotherWatchGoesOnWhereTheFirstWas(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1, 2, 3}, func(t *rapid.T) {
		w := newWorld()
		state := map[int]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			host := rapid.IntRange(1, 3).Draw(t, "host")
			first, n := rapid.IntRange(0, 30).Draw(t, "first"), rapid.IntRange(1, 30).Draw(t, "sites")
			fails := rapid.Bool().Draw(t, "fails")
			for id := first; id < first+n; id++ {
				site := host*100 + id
				if state[site] == fails {
					continue
				}
				state[site] = fails
				if fails {
					w.down(site, host)
				} else {
					w.up(site)
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				w.restart()
			}
			w.pass(time.Duration(rapid.IntRange(1, 200).Draw(t, "pause")) * time.Second)
		}
		opened, ended := map[string]int{}, map[string]int{}
		for _, line := range w.told {
			var id, kind string
			fmt.Sscan(line, &id, &kind)
			switch kind {
			case "INCIDENT_OPENED":
				opened[id]++
			case "INCIDENT_RESOLVED":
				ended[id]++
			}
		}
		in := map[check.SiteID]int64{}
		for id, i := range w.written {
			key, over := fmt.Sprint(id), 0
			if !i.End.IsZero() {
				over = 1
			}
			if opened[key] != 1 || ended[key] != over {
				t.Fatalf("incident %d was told to open %d times and to end %d times (over: %d): %v", id, opened[key], ended[key], over, w.told)
			}
			down := int64(0)
			for _, m := range i.Sites {
				if m.Down {
					down++
				}
				if over == 0 && in[m.Site] != 0 {
					t.Fatalf("site %d is in the incidents %d and %d", m.Site, in[m.Site], id)
				}
				if over == 0 {
					in[m.Site] = id
				}
				if over == 0 && m.Down != state[int(m.Site)] {
					t.Fatalf("site %d is down: %t, incident %d says %t", m.Site, state[int(m.Site)], id, m.Down)
				}
			}
			if i.Down != down || i.Members != int64(len(i.Sites)) {
				t.Fatalf("incident %d counts %d of %d down; its members say %d of %d", id, i.Down, i.Members, down, len(i.Sites))
			}
		}
	})
}
