package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func incidentTests() []test {
	return []test{
		{"an incident that goes on reads back with its members, and one that ended long ago does not", incidentsReadBack},
		{"thousands of members are written, and the event once", incidentOfMany},
		{"an incident that was written in part reads back as one that nobody was told of", incidentInPart},
		{"incidents and their members are listed page by page", incidentsListed},
		{"only the owner of the shard of incidents writes them", incidentsFenced},
		{"old incidents go with their members", incidentsExpire},
		{"the place among the events reads back", incidentPlace},
	}
}

// anIncident is an incident of n sites that is told to open.
func anIncident(id int64, n int) incident.Change {
	c := incident.Change{
		Incident: incident.Incident{
			ID: id, Shared: incident.Shared{Cause: incident.Address, Value: "192.0.2.1"}, Start: after(0),
			Members: int64(n), Down: int64(n), Told: int64(n), ToldAt: after(time.Minute),
			Examples: []event.Site{{ID: 1, BlogID: 7, URL: url(1), Tags: []string{"a"}}},
		},
		Tell: event.IncidentOpened, At: after(time.Minute),
	}
	for i := range n {
		c.Sites = append(c.Sites, incident.Member{Site: check.SiteID(i + 1), At: after(time.Duration(i) * time.Millisecond), Down: true})
	}
	return c
}

func ownIncidents(t *testing.T, s store.Store) shard.Fence { return own(t, s, "a", 0) }

func going(t *testing.T, s store.Store, since time.Time) (int64, []incident.Written) {
	t.Helper()
	next, all, err := s.RecentIncidents(t.Context(), since)
	must(t, err)
	return next, all
}

func incidentsReadBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	first, second := anIncident(1, 3), anIncident(2, 2)
	must(t, s.WriteIncident(t.Context(), fence, first))
	must(t, s.WriteIncident(t.Context(), fence, second))
	next, all := going(t, s, after(0))
	wantEqual(t, next, int64(3))
	wantEqual(t, all, []incident.Written{{Incident: first.Incident, Sites: first.Sites}, {Incident: second.Incident, Sites: second.Sites}})

	// One comes back, and the incident ends.
	first.Tell, first.At, first.End, first.Down = event.IncidentResolved, after(time.Hour), after(time.Hour), 2
	first.Sites[1].Down, first.Sites[1].At = false, after(time.Hour)
	changed := first
	changed.Sites = first.Sites[1:2]
	must(t, s.WriteIncident(t.Context(), fence, changed))
	_, all = going(t, s, after(time.Minute))
	wantEqual(t, all[0], incident.Written{Incident: first.Incident, Sites: first.Sites})
	_, all = going(t, s, after(2*time.Hour))
	wantEqual(t, len(all), 1)
	wantEqual(t, get[incident.Incident](t)(s.Incident(t.Context(), 1)), first.Incident)
	_, err := s.Incident(t.Context(), 3)
	wantKind(t, err, fault.NotFound)
	wantEqual(t, eventsOf(t, db, 0), []int64{int64(event.IncidentOpened), int64(event.IncidentOpened), int64(event.IncidentResolved)})
}

func incidentOfMany(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	c := anIncident(1, 2500)
	must(t, s.WriteIncident(t.Context(), fence, c))
	_, all := going(t, s, after(0))
	wantEqual(t, all, []incident.Written{{Incident: c.Incident, Sites: c.Sites}})
	wantEqual(t, eventsOf(t, db, 0), []int64{int64(event.IncidentOpened)})
}

func incidentInPart(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	c := anIncident(1, 2500)
	// The owner loses its shard between two transactions.
	c.Sites[2000].Site = c.Sites[2001].Site // no two rows of one site: this transaction fails
	if err := s.WriteIncident(t.Context(), fence, c); err == nil {
		t.Fatal("a site was written twice")
	}
	_, all := going(t, s, after(0))
	if len(all) != 1 || all[0].Told != 0 || len(all[0].Sites) != 2000 || !all[0].End.IsZero() {
		t.Errorf("read back %d, told %d, with %d members", len(all), all[0].Told, len(all[0].Sites))
	}
	w := incident.New(incident.DefaultRule(), 2, all)
	changes := w.Advance(after(2 * time.Minute))
	if len(changes) != 1 || changes[0].Tell != event.IncidentOpened || changes[0].Members != 2000 {
		t.Errorf("who goes on tells %+v", changes)
	}
	wantEqual(t, eventsOf(t, db, 0), []int64(nil))
}

func incidentsListed(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	var want []incident.Incident
	for id := int64(1); id <= 5; id++ {
		c := anIncident(id, 7)
		if id%2 == 0 {
			c.End, c.Tell = after(time.Hour), event.IncidentResolved
		}
		must(t, s.WriteIncident(t.Context(), fence, c))
		want = append([]incident.Incident{c.Incident}, want...)
	}
	list := func(before int64, limit int, open bool) []incident.Incident {
		return get[[]incident.Incident](t)(s.ListIncidents(t.Context(), before, limit, open))
	}
	wantEqual(t, list(0, 10, false), want)
	wantEqual(t, list(4, 2, false), want[2:4])
	wantEqual(t, list(0, 10, true), []incident.Incident{want[0], want[2], want[4]})
	wantEqual(t, list(5, 1, true), want[2:3])
	var sites []check.SiteID
	for after := check.SiteID(0); ; {
		page := get[[]incident.Member](t)(s.IncidentMembers(t.Context(), 3, after, 3))
		for _, m := range page {
			sites = append(sites, m.Site)
		}
		if len(page) < 3 {
			break
		}
		after = page[2].Site
	}
	wantEqual(t, sites, []check.SiteID{1, 2, 3, 4, 5, 6, 7})
}

func incidentsFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	mine, other := ownIncidents(t, s), own(t, s, "a", 100)
	wantKind(t, s.WriteIncident(t.Context(), other, anIncident(1, 1)), fault.Fenced)
	ownIncidents(t, s) // its next life
	wantKind(t, s.WriteIncident(t.Context(), mine, anIncident(1, 1)), fault.Fenced)
	wantKind(t, s.KeepIncidentPlace(t.Context(), mine, event.Positions{}), fault.Fenced)
	_, all := going(t, s, after(0))
	wantEqual(t, len(all), 0)
}

func incidentsExpire(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	for id := int64(1); id <= 3; id++ {
		c := anIncident(id, 5)
		if id < 3 {
			c.Tell, c.End = event.IncidentResolved, after(time.Duration(id)*time.Hour)
		}
		must(t, s.WriteIncident(t.Context(), fence, c))
	}
	for range 20 {
		if n := get[int](t)(s.ExpireIncidents(t.Context(), after(90*time.Minute), 2)); n < 2 {
			break
		}
	}
	ids := []int64{}
	for _, i := range get[[]incident.Incident](t)(s.ListIncidents(t.Context(), 0, 10, false)) {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	wantEqual(t, ids, []int64{2, 3})
	wantEqual(t, db.Int(t, "SELECT COUNT(*) FROM jetmon_incident_members"), int64(10))
}

func incidentPlace(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := ownIncidents(t, s)
	_, ok, err := s.IncidentPlace(t.Context())
	must(t, err)
	wantEqual(t, ok, false)
	for n := int64(1); n <= 2; n++ {
		want := event.FromOldest()
		want[3] = n << 40
		must(t, s.KeepIncidentPlace(t.Context(), fence, want))
		got, ok, err := s.IncidentPlace(t.Context())
		must(t, err)
		wantEqual(t, ok, true)
		wantEqual(t, got, want)
	}
}
