package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func trialTests() []test {
	return []test{
		{"a change on trial starts from our own verdict and leaves v1's row alone", trialVerdict},
		{"a trial after a shard was ours believes no row that v1 writes", trialAfterOurs},
		{"after a trial WordPress.com is told from what v1 told it", trialEnds},
		{"a trial goes on over an interruption that is short enough", trialGoesOn},
		{"a shard is handed over from v1 and back", handOver},
		{"a shard goes back to v1 when WordPress.com has accepted everything", handBackWaits},
		{"a shard goes back to v1 with rows that say what WordPress.com knows", handBackRows},
		{"a comparison has both sides of every site on trial", scanParity},
		{"a comparison reads any number of sites", scanParityPages},
	}
}

// onTrial returns a change on trial.
func onTrial(c record.Change, at time.Duration) record.Change {
	c = muted(c, at)
	c.Trial = true
	return c
}

// rowIs checks the status columns of a legacy row.
func rowIs(t testing.TB, s store.Store, db Database, site record.Site, want legacyRow) {
	t.Helper()
	n := db.Int(t, `SELECT COUNT(*) FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ? AND site_status = ?
	AND (last_status_change = ? OR last_status_change IS NULL AND ? = '')`, site.ID, int(want.status), legacyText(want.changed), legacyText(want.changed))
	if n != 1 {
		t.Errorf("the row of %s has changed: %+v", site.URL, get[record.Site](t)(s.Site(t.Context(), site.ID)))
	}
}

func legacyText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format("2006-01-02 15:04:05")
}

func trialVerdict(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		for status := range check.Status(3) {
			for i, changed := range []time.Time{{}, after(-time.Hour)} {
				row := legacyRow{status, changed}
				name := fmt.Sprintf("https://%t-%d-%d.example.com/", legacyWrites, status, i)
				insertRow(t, db, name, row)
				site := siteOf(t, s, name)
				if ours := site.Ours; (ours == nil) != (status == check.StatusRunning) || ours != nil && ours.Status != check.StatusRunning {
					t.Errorf("%s: our verdict is %+v", name, ours)
				}
				known := &record.Known{Status: status, Since: changed}
				_, err := Commit(t.Context(), s, fence, onTrial(closing(site, check.StatusDown, name+"0"), time.Minute))
				wantKind(t, err, fault.Conflict) // we never called it down
				opened := get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(opening(site, name+"1"), time.Hour)))
				if opened.OutageID == 0 {
					t.Errorf("%s: no outage", name)
				}
				if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusDown || got.Ours != nil {
					t.Errorf("%s: down on trial, and on record as %+v", name, got)
				}
				get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(closing(site, check.StatusDown, name+"2"), 2*time.Hour)))
				if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusRunning || got.OutageID != 0 {
					t.Errorf("%s: up on trial, and on record as %+v", name, got)
				}
				rowIs(t, s, db, site, row)
				wantCountOf(t, s, 0)
			}
		}
	}
}

// wantCountOf checks how many notifications wait.
func wantCountOf(t testing.TB, s store.Store, want int) {
	t.Helper()
	if n := get[int](t)(CountNotifications(t.Context(), s, allShards())); n != want {
		t.Errorf("%d notifications wait, want %d", n, want)
	}
}

func trialAfterOurs(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		site := create(t, s, aSite(url(i)))
		p := fmt.Sprint(legacyWrites)
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, p+"1")))
		get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, p+"2")))
		deliverOf(t, s, site.ID)
		get[int](t)(s.Mute(t.Context(), fence, 10))
		v1 := func(status int, at time.Duration) {
			db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ? WHERE jetpack_monitor_site_id = ?",
				status, legacyText(after(at)), site.ID)
		}
		v1(0, 3*time.Hour)
		get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(opening(site, p+"3"), 4*time.Hour)))
		wantUntold(t, s, site.ID, &record.Known{Status: check.StatusDown, Since: after(3 * time.Hour)})
		v1(1, 5*time.Hour)
		if got := wantUntold(t, s, site.ID, &record.Known{Status: check.StatusRunning, Since: after(5 * time.Hour)}); got.Status != check.StatusDown {
			t.Errorf("%s: v1's recovery became ours: %+v", p, got)
		}
		get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(closing(site, check.StatusDown, p+"4"), 6*time.Hour)))
		v1(2, 7*time.Hour)
		known := &record.Known{Status: check.StatusConfirmedDown, Since: after(7 * time.Hour)}
		if got := wantUntold(t, s, site.ID, known); got.Status != check.StatusRunning {
			t.Errorf("%s: v1's outage became ours: %+v", p, got)
		}
		get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(opening(site, p+"5"), 8*time.Hour)))
		wantUntold(t, s, site.ID, known)
		wantCountOf(t, s, 0)
	}
}

func trialEnds(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		for status := range check.Status(3) {
			for _, down := range []bool{true, false} {
				name := fmt.Sprintf("https://%t-%d-%t.example.com/", legacyWrites, status, down)
				insertRow(t, db, name, legacyRow{status, after(-time.Hour)})
				site := siteOf(t, s, name)
				if down {
					get[record.Committed](t)(Commit(t.Context(), s, fence, onTrial(opening(site, name+"1"), time.Hour)))
				}
				// The next check that a telling coordinator makes.
				to := check.StatusRunning
				switch {
				case down && status == check.StatusDown:
					to = check.StatusConfirmedDown
				case down:
					to = check.StatusDown
				}
				if down && status == check.StatusConfirmedDown || !down && status == check.StatusRunning {
					continue // silent
				}
				c := change(site, status, to, name+"2")
				c.At, c.Since = after(2*time.Hour), after(-time.Hour)
				done := get[record.Committed](t)(Commit(t.Context(), s, fence, c))
				if (done.OutageID != 0) != down {
					t.Errorf("%s: committed as %+v", name, done)
				}
				wantEqual(t, deliverOf(t, s, site.ID), []notification{{to, after(-time.Hour)}})
				if got := wantUntold(t, s, site.ID, nil); got.Status != to {
					t.Errorf("%s: on record as %+v", name, got)
				}
			}
		}
	}
}

// trialOwner is an owner on trial with one site in n.
func trialOwner(node string, n int) shard.Owner {
	o := anOwner(node)
	o.Trial = n
	return o
}

func trialGoesOn(t *testing.T, db Database) {
	s := db.Open(t, true)
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 3, trialOwner("a", 1), noon()))
	wantEqual(t, l.Trial, shard.Trial{Since: noon(), Until: after(15 * time.Second), Sample: 1})
	l = get[shard.Lease](t)(s.RenewShard(t.Context(), l, after(time.Hour)))
	wantEqual(t, l.Trial.Until, after(time.Hour))
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), []shard.Lease{l})
	must(t, s.ReleaseShard(t.Context(), l))
	for _, tt := range []struct {
		owner shard.Owner
		at    time.Duration
		want  shard.Trial
	}{
		{trialOwner("b", 1), time.Hour + shard.TrialGap, shard.Trial{Since: noon(), Sample: 1}},
		{trialOwner("b", 1), 3 * time.Hour, shard.Trial{Since: after(3 * time.Hour), Sample: 1}},
		{trialOwner("a", 100), 3*time.Hour + time.Minute, shard.Trial{Since: after(3*time.Hour + time.Minute), Sample: 100}},
		{anOwner("a"), 4 * time.Hour, shard.Trial{}},
	} {
		l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 3, tt.owner, after(tt.at)))
		if tt.want.Sample != 0 {
			tt.want.Until = after(tt.at + tt.owner.TTL)
		}
		wantEqual(t, l.Trial, tt.want)
	}
}

func handOver(t *testing.T, db Database) {
	s := db.Open(t, true)
	wantKind(t, s.HandOver(t.Context(), shard.Count, noon()), fault.Invalid)
	must(t, s.HandOver(t.Context(), 9, noon())) // never claimed
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 9, trialOwner("a", 1), noon()))
	if !l.Taken.Equal(noon()) || l.Trial.Sample != 0 {
		t.Errorf("claimed as %+v", l)
	}
	must(t, s.HandOver(t.Context(), 9, after(time.Minute))) // it is ours already
	l = get[shard.Lease](t)(s.RenewShard(t.Context(), l, after(time.Hour)))
	must(t, s.HandOver(t.Context(), 9, time.Time{}))
	_, err := s.RenewShard(t.Context(), l, after(time.Hour))
	wantKind(t, err, fault.Fenced)
	again := get[shard.Lease](t)(s.ClaimShard(t.Context(), 9, trialOwner("b", 1), after(time.Minute)))
	if !again.Taken.IsZero() || again.Trial.Sample != 1 || again.Term <= l.Term {
		t.Errorf("claimed as %+v after %+v", again, l)
	}
	must(t, s.HandOver(t.Context(), 9, after(2*time.Minute)))
	if all := get[[]shard.Lease](t)(s.ListShards(t.Context())); len(all) != 1 || all[0].Node != "" || !all[0].Taken.Equal(after(2*time.Minute)) {
		t.Errorf("listed as %+v", all)
	}
}

func handBackWaits(t *testing.T, db Database) {
	s := db.Open(t, true)
	must(t, s.HandOver(t.Context(), shard.Of(7), noon()))
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	wantKind(t, s.HandOver(t.Context(), shard.Of(7), time.Time{}), fault.Conflict)
	// The shard is still ours.
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	deliverOf(t, s, site.ID)
	must(t, s.HandOver(t.Context(), shard.Of(7), time.Time{}))
	_, err := Commit(t.Context(), s, fence, opening(site, "k3"))
	wantKind(t, err, fault.Fenced)
}

func handBackRows(t *testing.T, db Database) {
	for i, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		must(t, s.HandOver(t.Context(), shard.Of(7), noon()))
		fence := own(t, s, "a", 7)
		told, silenced := create(t, s, aSite(url(2*i))), create(t, s, aSite(url(2*i+1)))
		p := fmt.Sprint(legacyWrites)
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(told, p+"1")))
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(silenced, p+"2")))
		deliverOf(t, s, told.ID)
		deliverOf(t, s, silenced.ID)
		get[record.Committed](t)(Commit(t.Context(), s, fence, muted(closing(silenced, check.StatusDown, p+"3"), time.Hour)))
		must(t, s.HandOver(t.Context(), shard.Of(7), time.Time{}))
		row := legacyRow{check.StatusDown, after(time.Minute)}
		if !legacyWrites { // WordPress.com writes them
			row = legacyRow{check.StatusRunning, time.Time{}}
			db.Exec(t, "UPDATE jetpack_monitor_sites SET last_status_change = NULL")
		}
		rowIs(t, s, db, told, row)
		rowIs(t, s, db, silenced, row)
		must(t, s.DeleteSite(t.Context(), told.ID, noon(), nil))
		must(t, s.DeleteSite(t.Context(), silenced.ID, noon(), nil))
	}
}

func scanParity(t *testing.T, db Database) {
	s := db.Open(t, false)
	lease := get[shard.Lease](t)(s.ClaimShard(t.Context(), shard.Of(7), trialOwner("a", 1), noon()))
	insertRow(t, db, url(1), legacyRow{check.StatusDown, after(-time.Hour)})
	insertRow(t, db, url(2), legacyRow{check.StatusRunning, time.Time{}})
	elsewhere := aSite(url(3))
	elsewhere.Bucket = 100
	create(t, s, elsewhere)
	paused := aSite(url(4))
	paused.Paused = true
	create(t, s, paused)
	theirs, ours := siteOf(t, s, url(1)), siteOf(t, s, url(2))
	c := onTrial(opening(ours, "k1"), time.Minute)
	get[record.Committed](t)(Commit(t.Context(), s, lease.Fence(), c))
	got := allParity(t, s)
	want := []parity.Site{
		{
			ID: theirs.ID, BlogID: 42, Bucket: 7, URL: url(1), Interval: 5 * time.Minute, Trial: lease.Trial,
			V1: parity.Side{Status: check.StatusDown, Since: after(-time.Hour)}, Ours: parity.Side{Status: check.StatusRunning},
		},
		{
			ID: ours.ID, BlogID: 42, Bucket: 7, URL: url(2), Interval: 5 * time.Minute, Trial: lease.Trial,
			V1: parity.Side{Status: check.StatusRunning}, Ours: parity.Side{Status: check.StatusDown, Since: after(time.Minute)},
			Cause:   parity.Cause{Failure: c.Cause.Failure, Reason: c.Cause.Reason, HTTPStatus: int(c.Cause.HTTPStatus)},
			Changes: []parity.Side{{Status: check.StatusDown, Since: after(time.Minute)}},
		},
	}
	wantEqual(t, got, want)
	stop := fault.New(fault.Internal, "enough")
	if err := s.ScanParity(t.Context(), func([]parity.Site) error { return stop }); !fault.Is(err, fault.Internal) {
		t.Errorf("an error of the caller became %v", err)
	}
	// What was taken over is not compared.
	must(t, s.HandOver(t.Context(), shard.Of(7), noon()))
	get[shard.Lease](t)(s.ClaimShard(t.Context(), shard.Of(7), trialOwner("a", 1), noon()))
	if got := allParity(t, s); len(got) != 0 {
		t.Errorf("%d sites are compared after the takeover", len(got))
	}
}

func allParity(t testing.TB, s store.Store) (all []parity.Site) {
	t.Helper()
	must(t, s.ScanParity(t.Context(), func(sites []parity.Site) error {
		all = append(all, slices.Clone(sites)...)
		return nil
	}))
	return all
}

func scanParityPages(t *testing.T, db Database) {
	s := db.Open(t, false)
	get[shard.Lease](t)(s.ClaimShard(t.Context(), shard.Of(7), trialOwner("a", 1), noon()))
	const many = 20_001 // more than one page
	db.Exec(t, `INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url)
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 142)
	SELECT 42, 7, a.i * 1000 + b.i FROM n a, n b LIMIT 20001`)
	got := allParity(t, s)
	for i := range got[1:] {
		if got[i].ID >= got[i+1].ID {
			t.Fatalf("site %d comes before %d", got[i].ID, got[i+1].ID)
		}
	}
	if len(got) != many {
		t.Errorf("%d sites, want %d", len(got), many)
	}
}
