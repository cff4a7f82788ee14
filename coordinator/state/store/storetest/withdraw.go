package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func mutedWithdraws(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site, other := create(t, s, aSite(url(2*i))), create(t, s, aSite(url(2*i+1)))
		key := func(n int) string { return fmt.Sprint(i, "-", n) }
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, key(1))))
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(other, key(2))))
		must(t, Postpone(t.Context(), s, due(t, s, after(time.Hour), 1)[0], after(2*time.Hour), "no answer"))
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(site, check.StatusDown, key(3)), time.Hour)))
		if got := keysOf(due(t, s, after(24*time.Hour), 10)); got != key(2) {
			t.Errorf("%q wait, want the other site's", got)
		}
		deliverOf(t, s, other.ID)
		unsure := &record.Known{Status: check.StatusRunning, Since: after(time.Minute), Unsure: true}
		wantUntold(t, s, site.ID, unsure)
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(opening(site, key(4)), 2*time.Hour)))
		wantUntold(t, s, site.ID, unsure)
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(site, check.StatusDown, key(5)), 3*time.Hour)))
		wantUntold(t, s, site.ID, unsure)
		c := closing(site, check.StatusDown, key(6))
		c.At, c.Since = after(4*time.Hour), unsure.Since
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		wantEqual(t, deliverOf(t, s, site.ID), []notification{{check.StatusRunning, unsure.Since}})
		wantUntold(t, s, site.ID, nil)
		wantCounts(t, s, 0, 0)
	}
}

func withdrawShard(t *testing.T, db Database) {
	s := db.Open(t, false)
	fence, far := own(t, s, "a", 7), own(t, s, "a", 100)
	var sites []record.Site
	for i := range 5 {
		site := create(t, s, aSite(url(i)))
		sites = append(sites, site)
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("open", i))))
		get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, fmt.Sprint("confirm", i))))
	}
	other := aSite(url(9))
	other.Bucket = 100
	other = create(t, s, other)
	get[record.Committed](t)(Commit(t.Context(), s, far, opening(other, "other")))
	for _, wrong := range []shard.Fence{{Shard: fence.Shard, Node: "b", Term: fence.Term}, {Shard: fence.Shard, Node: "a", Term: fence.Term + 1}, {}} {
		_, err := s.Mute(t.Context(), wrong, 10)
		wantKind(t, err, fault.Fenced)
	}
	_, err := s.Mute(t.Context(), fence, 0)
	wantKind(t, err, fault.Invalid)
	for _, want := range []int{3, 3, 3, 1, 0} {
		if n := get[int](t)(s.Mute(t.Context(), fence, 3)); n != want {
			t.Errorf("%d were withdrawn, want %d", n, want)
		}
	}
	wantCounts(t, s, 1, 5)
	for _, site := range sites {
		got := wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning, Since: after(time.Hour), Unsure: true})
		if got.Status != check.StatusConfirmedDown {
			t.Errorf("the site is %+v", got)
		}
	}
	wantUntold(t, s, other.ID, nil) // of another shard
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_transitions WHERE delivered_ms = -1"); n != 10 {
		t.Errorf("%d changes are noted as never delivered", n)
	}
	// WordPress.com writes the row later than that: then it did receive it.
	db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = 2, last_status_change = '2026-05-13 13:00:05' WHERE jetpack_monitor_site_id = ?", sites[0].ID)
	wantUntold(t, s, sites[0].ID, &record.Known{Status: check.StatusConfirmedDown, Since: after(time.Hour + 5*time.Second)})
	// A verified failure is reported for the open outage.
	opened := get[record.Site](t)(s.Site(t.Context(), sites[1].ID)).OutageID
	done := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(sites[1], "again")))
	if told := deliverOf(t, s, sites[1].ID); len(told) != 1 || done.OutageID != opened {
		t.Errorf("told %v of outage %d, open is %d", told, done.OutageID, opened)
	}
}

func withdrawOld(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	db.Exec(t, "DELETE FROM jetmon_site_status") // which the older version does not write
	if n := get[int](t)(s.Mute(t.Context(), fence, 10)); n != 2 {
		t.Errorf("%d were withdrawn", n)
	}
	wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning, Since: after(2 * time.Hour), Unsure: true})
	wantCounts(t, s, 0, 1)
}

func deliveredWithdrawn(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	n := due(t, s, after(time.Hour), 1)[0]
	get[int](t)(s.Mute(t.Context(), fence, 10))
	must(t, Accept(t.Context(), s, n, after(time.Hour)))
	if at := db.Int(t, "SELECT delivered_ms FROM jetmon_transitions"); at != after(time.Hour).UnixMilli() {
		t.Errorf("delivered_ms is %d", at)
	}
	must(t, Postpone(t.Context(), s, n, after(time.Hour), "late"))
	wantCounts(t, s, 0, 1)
}
