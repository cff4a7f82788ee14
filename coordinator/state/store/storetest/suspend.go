package storetest

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func suspendTests() []test {
	return []test{
		{"a pause through the API suspends the outage at once, and the pauses add up", suspendedByAPI},
		{"a pause in the table is noted by the owner of the shard only", suspendedInTable},
		{"a suspended outage whose site is deleted or changed counts the pause", suspendedThenEnded},
		{"a pause whose end was not noted ends with the outage", suspendedThenUp},
	}
}

// setPaused is what a client of the API does.
func setPaused(t testing.TB, s store.Store, id check.SiteID, paused bool, at time.Time) {
	t.Helper()
	get[record.Site](t)(s.UpdateSite(t.Context(), id, at, func(site record.Site) (record.Site, error) {
		site.Paused = paused
		return site, nil
	}))
}

// setActive is what WordPress.com does.
func setActive(t testing.TB, db Database, id check.SiteID, active int) {
	t.Helper()
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_active = ? WHERE jetpack_monitor_site_id = ?", active, id)
}

// wantSuspended checks since when an outage is suspended, and how long its site was paused.
func wantSuspended(t testing.TB, s store.Store, id int64, since time.Time, paused time.Duration) {
	t.Helper()
	o := get[record.Outage](t)(s.Outage(t.Context(), id))
	if !o.Suspended.Equal(since) || o.PausedFor != paused {
		t.Errorf("outage %d is suspended since %v and was paused for %v, want %v and %v", id, o.Suspended, o.PausedFor, since, paused)
	}
}

func unnoticed(t testing.TB, s store.Store, shards ...shard.ID) (ids []int64) {
	t.Helper()
	for _, o := range get[[]record.Outage](t)(s.ListUnnoticed(t.Context(), shards, 100)) {
		ids = append(ids, o.ID)
	}
	return ids
}

func suspendedByAPI(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, well := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	id := goDown(t, s, fence, site)
	wantSuspended(t, s, id, time.Time{}, 0)
	before := footprint(t, db)
	setPaused(t, s, well.ID, true, after(time.Hour)) // it has no outage
	setPaused(t, s, site.ID, true, after(time.Hour))
	wantSuspended(t, s, id, after(time.Hour), 0)
	setPaused(t, s, site.ID, true, after(2*time.Hour)) // the same again
	wantSuspended(t, s, id, after(time.Hour), 0)
	wantEqual(t, len(unnoticed(t, s, allShards()...)), 0)
	setPaused(t, s, site.ID, false, after(3*time.Hour))
	wantSuspended(t, s, id, time.Time{}, 2*time.Hour)
	setPaused(t, s, site.ID, true, after(4*time.Hour))
	setPaused(t, s, site.ID, false, after(7*time.Hour))
	wantSuspended(t, s, id, time.Time{}, 5*time.Hour)
	wantEqual(t, footprint(t, db), before) // nobody is told
	wantEnd(t, s, id, time.Time{}, record.EndNone)
	up := closing(site, check.StatusDown, "up")
	up.At = after(8 * time.Hour)
	get[record.Committed](t)(Commit(t.Context(), s, fence, up))
	wantSuspended(t, s, id, time.Time{}, 5*time.Hour)
	wantEnd(t, s, id, after(8*time.Hour), record.EndRecovered)
}

func suspendedInTable(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence := own(t, s, "a", 7)
	site, whole := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	id, other := goDown(t, s, fence, site), goDown(t, s, fence, whole)
	note := func(at time.Duration) int {
		return get[int](t)(s.NotePauses(t.Context(), fence, []int64{id, other, 12345}, after(at)))
	}
	wantEqual(t, note(time.Minute), 0)
	setActive(t, db, site.ID, 0)
	wantEqual(t, unnoticed(t, s, allShards()...), []int64{id})
	wantEqual(t, len(unnoticed(t, s, shard.Of(200))), 0)
	for _, f := range []shard.Fence{{}, {Shard: fence.Shard, Node: "b", Term: fence.Term}} {
		_, err := s.NotePauses(t.Context(), f, []int64{id}, noon())
		wantKind(t, err, fault.Fenced)
	}
	wantEqual(t, note(time.Hour), 1)
	wantEqual(t, note(2*time.Hour), 0)
	wantSuspended(t, s, id, after(time.Hour), 0)
	wantSuspended(t, s, other, time.Time{}, 0)
	setActive(t, db, site.ID, 1)
	setActive(t, db, whole.ID, 0)
	wantEqual(t, unnoticed(t, s, fence.Shard), []int64{id, other})
	wantEqual(t, note(4*time.Hour), 2)
	wantSuspended(t, s, id, time.Time{}, 3*time.Hour)
	wantSuspended(t, s, other, after(4*time.Hour), 0)
	wantEqual(t, len(unnoticed(t, s, allShards()...)), 0)
}

func suspendedThenEnded(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	gone, moved := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	first, second := goDown(t, s, fence, gone), goDown(t, s, fence, moved)
	setPaused(t, s, gone.ID, true, after(time.Hour))
	setPaused(t, s, moved.ID, true, after(time.Hour))
	must(t, s.DeleteSite(t.Context(), gone.ID, after(3*time.Hour), nil))
	patchURL(t, s, moved.ID, url(3), after(4*time.Hour))
	wantSuspended(t, s, first, time.Time{}, 2*time.Hour)
	wantSuspended(t, s, second, time.Time{}, 3*time.Hour)
	wantEnd(t, s, second, after(4*time.Hour), record.EndChanged)
}

func suspendedThenUp(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	id := goDown(t, s, fence, site)
	setActive(t, db, site.ID, 0)
	get[int](t)(s.NotePauses(t.Context(), fence, []int64{id}, after(time.Hour)))
	setActive(t, db, site.ID, 1)
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "up")))
	wantSuspended(t, s, id, time.Time{}, time.Hour)
	wantEnd(t, s, id, after(2*time.Hour), record.EndRecovered)
}
