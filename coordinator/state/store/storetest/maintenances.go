package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func maintenanceTests() []test {
	return []test{
		{"a maintenance is read as it was made, changed and deleted, which is on record", maintenanceKept},
		{"a key makes one maintenance, and is for one request", maintenanceKeys},
		{"an edit that is refused, or changes nothing, leaves no trace", maintenanceRefused},
		{"edits of a maintenance at once lose nothing", maintenanceRaced},
		{"maintenances are listed by rising id, by what they cover", maintenanceLists},
		{"every store knows at once what is planned", calendarKnown},
		{"the maintenances of a site go with it", maintenanceGoes},
		{"a failure in maintenance is on record, and nobody is told", hushedFailure},
		{"nobody is told that a site came and went in maintenance", hushedBlip},
		{"what outlasts the maintenance is told once, of the outage that is open", hushedOutlasts},
		{"a site that was told down is told up, and not confirmed, in maintenance", toldBeforeMaintenance},
		{"a failure that another store has hushed conflicts with one that would tell it", hushedConflict},
		{"a group mixes changes in maintenance and others", hushedGroup},
	}
}

// plan makes a maintenance from noon on.
func plan(t testing.TB, s store.Store, covers record.Covers, length time.Duration) record.Maintenance {
	t.Helper()
	return get[record.Maintenance](t)(s.CreateMaintenance(t.Context(), store.MaintenanceKey{}, aMaintenance(covers, length), toldOfMaintenance))
}

func aMaintenance(covers record.Covers, length time.Duration) record.Maintenance {
	return record.Maintenance{
		Name: "Zoë's upgrade 🦆", Reason: "'; DROP TABLE x", Covers: covers, Start: after(-time.Minute), Duration: length,
		Zone: "Europe/Berlin", Creator: "somebody", Created: after(-time.Hour),
	}
}

func toldOfMaintenance(m record.Maintenance) record.Audit {
	return record.Audit{At: noon(), Caller: "somebody", Method: "m", Resource: fmt.Sprintf("maintenances/%d", m.ID), After: m.Name}
}

func changedMaintenance(_, m record.Maintenance) record.Audit { return toldOfMaintenance(m) }

// recut ends the open window of a maintenance at a time.
func recut(at time.Time) func(record.Maintenance) (record.Maintenance, error) {
	return func(m record.Maintenance) (record.Maintenance, error) {
		m.Cut = at
		return m, nil
	}
}

func maintenanceKept(t *testing.T, db Database) {
	s := db.Open(t, true)
	for _, covers := range []record.Covers{{SiteID: 1 << 60}, {Tag: "shop"}, {Host: record.Location{Host: "a.example", Port: 8443}}} {
		m := plan(t, s, covers, time.Hour)
		want := aMaintenance(covers, time.Hour)
		want.ID, want.Revision, want.Updated = m.ID, 1, want.Created
		wantEqual(t, m, want)
		wantEqual(t, get[record.Maintenance](t)(db.Open(t, false).Maintenance(t.Context(), m.ID)), want)

		changed := want
		changed.Name, changed.Rule, changed.Covers, changed.Cut, changed.Duration = "n", "FREQ=DAILY", record.Covers{Tag: "x"}, noon(), time.Minute
		got := get[record.Maintenance](t)(s.UpdateMaintenance(t.Context(), m.ID, func(record.Maintenance) (record.Maintenance, error) { return changed, nil }, changedMaintenance))
		changed.Revision, changed.Updated = 2, got.Updated
		wantEqual(t, got, changed)
		wantEqual(t, get[record.Maintenance](t)(s.Maintenance(t.Context(), m.ID)), changed)

		must(t, s.DeleteMaintenance(t.Context(), m.ID, nil, toldOfMaintenance))
		_, err := s.Maintenance(t.Context(), m.ID)
		wantKind(t, err, fault.NotFound)
		wantKind(t, s.DeleteMaintenance(t.Context(), m.ID, nil, toldOfMaintenance), fault.NotFound)
		_, err = s.UpdateMaintenance(t.Context(), m.ID, recut(noon()), changedMaintenance)
		wantKind(t, err, fault.NotFound)
		wantEqual(t, len(trail(t, s, store.AuditQuery{Limit: 10, Resource: fmt.Sprintf("maintenances/%d", m.ID)})), 3)
	}
}

func maintenanceKeys(t *testing.T, db Database) {
	s := db.Open(t, true)
	key := store.MaintenanceKey{Hash: [32]byte{1}, Request: [32]byte{2}}
	make := func(k store.MaintenanceKey) (record.Maintenance, error) {
		return s.CreateMaintenance(t.Context(), k, aMaintenance(record.Covers{Tag: "a"}, time.Hour), toldOfMaintenance)
	}
	first := get[record.Maintenance](t)(make(key))
	first = get[record.Maintenance](t)(s.UpdateMaintenance(t.Context(), first.ID, recut(noon()), changedMaintenance))
	wantEqual(t, get[record.Maintenance](t)(make(key)), first)
	other := key
	other.Request = [32]byte{3}
	_, err := make(other)
	wantKind(t, err, fault.Invalid)
	var wg sync.WaitGroup
	ids := [8]int64{}
	for i := range ids {
		wg.Go(func() {
			m, err := make(store.MaintenanceKey{Hash: [32]byte{9}})
			if ids[i] = m.ID; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one key made %v", ids)
		}
	}
	must(t, s.DeleteMaintenance(t.Context(), first.ID, nil, toldOfMaintenance))
	if again := get[record.Maintenance](t)(make(key)); again.ID == first.ID {
		t.Error("a maintenance that was deleted is there")
	}
}

func maintenanceRefused(t *testing.T, db Database) {
	s := db.Open(t, true)
	m := plan(t, s, record.Covers{Tag: "a"}, time.Hour)
	refusal := errors.New("no")
	_, err := s.UpdateMaintenance(t.Context(), m.ID, func(m record.Maintenance) (record.Maintenance, error) {
		m.Name = "x"
		return m, refusal
	}, changedMaintenance)
	if !errors.Is(err, refusal) || err.Error() != "no" {
		t.Errorf("error %v, want the edit's own", err)
	}
	if err := s.DeleteMaintenance(t.Context(), m.ID, func(record.Maintenance) error { return refusal }, toldOfMaintenance); !errors.Is(err, refusal) {
		t.Errorf("error %v, want that of allow", err)
	}
	same := func(m record.Maintenance) (record.Maintenance, error) { return m, nil }
	wantEqual(t, get[record.Maintenance](t)(s.UpdateMaintenance(t.Context(), m.ID, same, changedMaintenance)), m)
	wantEqual(t, len(trail(t, s, store.AuditQuery{Limit: 10})), 1)
}

func maintenanceRaced(t *testing.T, db Database) {
	s, other := db.Open(t, true), db.Open(t, true)
	m := plan(t, s, record.Covers{Tag: "a"}, time.Hour)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := []store.Store{s, other}[i%2].UpdateMaintenance(t.Context(), m.ID, func(m record.Maintenance) (record.Maintenance, error) {
				m.Duration += time.Minute
				return m, nil
			}, changedMaintenance)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := get[record.Maintenance](t)(s.Maintenance(t.Context(), m.ID))
	if got.Duration != time.Hour+8*time.Minute || got.Revision != 9 {
		t.Errorf("after 8 edits: %+v", got)
	}
}

func maintenanceLists(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	other := aSite(url(2))
	other.BlogID = 43
	other = create(t, s, other)
	var ids []int64
	for _, covers := range []record.Covers{{SiteID: site.ID}, {SiteID: other.ID}, {Tag: "a"}, {Tag: "b"}, {Host: record.Location{Host: "h.example"}}} {
		ids = append(ids, plan(t, s, covers, time.Hour).ID)
	}
	for name, tt := range map[string]struct {
		q    store.MaintenanceQuery
		want []int64
	}{
		"all":                          {store.MaintenanceQuery{Limit: 10}, ids},
		"a page":                       {store.MaintenanceQuery{Limit: 2, After: ids[0]}, ids[1:3]},
		"of a site, its tags and host": {store.MaintenanceQuery{Limit: 10, SiteID: site.ID, Tags: []string{"b", "c"}, Host: "h.example"}, []int64{ids[0], ids[3], ids[4]}},
		"of blogs":                     {store.MaintenanceQuery{Limit: 10, Blogs: []check.BlogID{43, 44}}, ids[1:2]},
		"of blogs that have none":      {store.MaintenanceQuery{Limit: 10, Blogs: []check.BlogID{44}, Tags: []string{"a"}}, nil},
	} {
		var got []int64
		for _, m := range get[[]record.Maintenance](t)(s.ListMaintenances(t.Context(), tt.q)) {
			got = append(got, m.ID)
		}
		t.Log(name)
		wantEqual(t, got, tt.want)
	}
	_, err := s.ListMaintenances(t.Context(), store.MaintenanceQuery{})
	wantKind(t, err, fault.Invalid)
}

// inMaintenance asks a store whether a site is in maintenance just after noon.
func inMaintenance(t testing.TB, s store.Store, site record.Site) bool {
	t.Helper()
	c := get[*maintenance.Calendar](t)(s.Calendar(t.Context(), noon()))
	_, ok := c.At(maintenance.Subject{ID: site.ID, URL: site.URL, Tags: site.Tags}, noon())
	return ok
}

func calendarKnown(t *testing.T, db Database) {
	s, other := db.Open(t, true), db.Open(t, true)
	site := record.Site{ID: 7, URL: "https://a.example:8443/", Tags: []string{"shop"}}
	want := func(in bool) {
		t.Helper()
		for _, s := range []store.Store{s, other} {
			if got := inMaintenance(t, s, site); got != in {
				t.Errorf("in maintenance: %t, want %t", got, in)
			}
		}
	}
	want(false)
	for _, covers := range []record.Covers{{SiteID: 7}, {Tag: "shop"}, {Host: record.Location{Host: "a.example", Port: 8443}}} {
		m := plan(t, s, covers, time.Hour)
		want(true)
		get[record.Maintenance](t)(other.UpdateMaintenance(t.Context(), m.ID, recut(after(-time.Second)), changedMaintenance))
		want(false)
		get[record.Maintenance](t)(other.UpdateMaintenance(t.Context(), m.ID, recut(time.Time{}), changedMaintenance))
		want(true)
		must(t, s.DeleteMaintenance(t.Context(), m.ID, nil, toldOfMaintenance))
		want(false)
	}
	db.Exec(t, "UPDATE jetmon_maintenance_edits SET edits = edits + 1")
	m := plan(t, s, record.Covers{SiteID: 7}, time.Hour)
	db.Exec(t, "UPDATE jetmon_maintenances SET zone = 'Europe/Atlantis', revision = 7 WHERE id = ?", m.ID)
	db.Exec(t, "UPDATE jetmon_maintenance_edits SET edits = edits + 1")
	want(false) // a zone that this version does not know: nobody is kept from hearing
}

func maintenanceGoes(t *testing.T, db Database) {
	s := db.Open(t, true)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	plan(t, s, record.Covers{SiteID: site.ID}, time.Hour)
	stays := plan(t, s, record.Covers{SiteID: other.ID}, time.Hour)
	must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
	wantEqual(t, get[[]record.Maintenance](t)(s.ListMaintenances(t.Context(), store.MaintenanceQuery{Limit: 10})), []record.Maintenance{stays})
	if inMaintenance(t, s, site) || !inMaintenance(t, s, other) {
		t.Error("the calendar does not follow")
	}
}

func hushedFailure(t *testing.T, db Database) {
	for i, covers := range []func(record.Site) record.Covers{
		func(s record.Site) record.Covers { return record.Covers{SiteID: s.ID} },
		func(record.Site) record.Covers { return record.Covers{Tag: "shop"} },
		func(s record.Site) record.Covers {
			return record.Covers{Host: record.Location{Host: record.Locate(s.URL).Host}}
		},
	} {
		for j, legacyWrites := range []bool{true, false} {
			s := db.Open(t, legacyWrites)
			fence := own(t, s, "a", 7)
			site := aSite(url(2*i + j))
			site.Tags = []string{"shop"}
			site = create(t, s, site)
			m := plan(t, s, covers(site), time.Hour)
			c := opening(site, fmt.Sprint("o", site.ID))
			done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
			wantEqual(t, done.Maintenance, m.ID)
			wantEqual(t, get[record.Committed](t)(Commit(t.Context(), s, fence, c)), done) // its answer was lost
			wantEqual(t, len(deliverOf(t, s, site.ID)), 0)
			got := get[record.Site](t)(s.Site(t.Context(), site.ID))
			if wantEqual(t, got.Untold, &record.Known{Status: check.StatusRunning}); got.Status != check.StatusDown || got.OutageID != done.OutageID {
				t.Errorf("the site is %+v", got)
			}
			if n := db.Int(t, "SELECT site_status FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", site.ID); n != 1 {
				t.Errorf("site_status tells that it is %d", n)
			}
			if o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID)); o.MaintenanceID != m.ID || len(o.Maintenance) != 1 {
				t.Errorf("the outage is %+v", o)
			}
			if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_events WHERE event_key = ? AND body LIKE ?", c.Key, fmt.Sprintf(`%%"maintenance_id":"%d"}%%"muted":true}`, m.ID)); n != 1 {
				t.Error("the event does not say so")
			}
			must(t, s.DeleteMaintenance(t.Context(), m.ID, nil, toldOfMaintenance))
		}
	}
}

// hushed marks a change of which the engine knows that nobody is to be told.
func hushed(c record.Change, m record.Maintenance) record.Change {
	c.Maintenance = m.ID
	return c
}

func hushedBlip(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		m := plan(t, s, record.Covers{SiteID: site.ID}, 90*time.Minute)
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("a", i))))
		get[record.Committed](t)(Commit(t.Context(), s, fence, hushed(confirming(site, fmt.Sprint("b", i)), m)))
		end := get[record.Committed](t)(Commit(t.Context(), s, fence, hushed(closing(site, check.StatusConfirmedDown, fmt.Sprint("c", i)), m)))
		wantEqual(t, end.Maintenance, m.ID)
		wantEqual(t, len(deliverOf(t, s, site.ID)), 0)
		o := get[record.Outage](t)(s.Outage(t.Context(), done.OutageID))
		// The outage was from noon on, and is over after two hours.
		spans := []uptime.Span{{Start: noon(), End: after(89 * time.Minute)}}
		if wantEqual(t, o.Maintenance, spans); o.EndReason != record.EndRecovered {
			t.Errorf("the outage is %+v", o)
		}
		must(t, s.DeleteMaintenance(t.Context(), m.ID, nil, toldOfMaintenance)) // the past stays
		must(t, s.Pasts(t.Context(), []check.SiteID{site.ID}, noon(), func(p record.Past) { wantEqual(t, p.Outages[0].Maintenance, spans) }))
		// The next failure is told as the first would have been.
		c := opening(site, fmt.Sprint("d", i))
		c.Since, c.At = time.Time{}, after(3*time.Hour)
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		wantEqual(t, len(deliverOf(t, s, site.ID)), 1)
		wantUntold(t, s, site.ID, nil)
	}
}

func hushedOutlasts(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		m := plan(t, s, record.Covers{SiteID: site.ID}, time.Hour)
		first := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("a", i))))
		c := opening(site, fmt.Sprint("b", i))
		c.Start, c.At = after(61*time.Minute), after(62*time.Minute)
		told := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		wantEqual(t, told.OutageID, first.OutageID)
		wantEqual(t, told.Maintenance, int64(0))
		wantEqual(t, len(deliverOf(t, s, site.ID)), 1)
		wantUntold(t, s, site.ID, nil)
		o := get[record.Outage](t)(s.Outage(t.Context(), first.OutageID))
		if o.MaintenanceID != m.ID || !o.Start.Equal(noon()) {
			t.Errorf("the outage is %+v", o)
		}
		if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_events WHERE event_key = ? AND body LIKE ?", c.Key, fmt.Sprintf(`%%"maintenance_id":"%d"}}`, m.ID)); n != 1 {
			t.Error("the event does not say in what maintenance the failure began")
		}
	}
}

func toldBeforeMaintenance(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("a", i)))) // its notification waits
		m := plan(t, s, record.Covers{SiteID: site.ID}, 3*time.Hour)
		done := get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, fmt.Sprint("b", i))))
		wantEqual(t, done.Maintenance, m.ID)
		known := &record.Known{Status: check.StatusDown, Since: after(time.Minute)}
		if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusConfirmedDown {
			t.Errorf("the site is %+v", got)
		}
		up := closing(site, check.StatusDown, fmt.Sprint("c", i)) // from what WordPress.com knows
		up.Since = known.Since
		get[record.Committed](t)(Commit(t.Context(), s, fence, up))
		wantEqual(t, deliverOf(t, s, site.ID), []notification{{check.StatusDown, after(-72 * time.Hour)}, {check.StatusRunning, known.Since}})
		wantUntold(t, s, site.ID, nil)
	}
}

func hushedConflict(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	m := plan(t, s, record.Covers{SiteID: site.ID}, time.Hour)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "a")))
	_, err := Commit(t.Context(), s, fence, opening(site, "b"))
	wantKind(t, err, fault.Conflict)
	get[record.Committed](t)(Commit(t.Context(), s, fence, hushed(closing(site, check.StatusDown, "c"), m)))
	wantEqual(t, len(deliverOf(t, s, site.ID)), 0)
}

func hushedGroup(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var changes []record.Change
	var want []int64
	for i := range 10 {
		site := aSite(url(i))
		if i%2 == 0 {
			site.Tags = []string{"even"}
		}
		site = create(t, s, site)
		changes = append(changes, opening(site, fmt.Sprint("k", i)))
	}
	m := plan(t, s, record.Covers{Tag: "even"}, time.Hour)
	for i, r := range get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, changes)) {
		want = append(want, map[bool]int64{true: m.ID}[i%2 == 0])
		if wantEqual(t, r.Committed.Maintenance, want[i]); r.Err != nil {
			t.Error(r.Err)
		}
	}
	wantCounts(t, s, 5, 5)
}
