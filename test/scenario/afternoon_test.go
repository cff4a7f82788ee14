package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAnAfternoonFromV1ToJetmonAndBack follows docs/migrating-from-v1.md on a table as v1
// leaves it: trial, parity, half of the buckets, all, back.
func TestAnAfternoonFromV1ToJetmonAndBack(t *testing.T) {
	t.Parallel()
	for name, noUpdates := range map[string]bool{"with --db-updates": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := leaveRows(t)
			a := afternoon{rows: rows, system: begin(t, asRolesMariaDB(), setup{
				token: "wpcom-secret", noUpdates: noUpdates, flags: []string{"--interval=2s", "--trial"},
				before: func(t *testing.T, dsn string) { insertLeft(t, dsn, rows) },
			})}
			a.trial(t)
			a.parity(t)
			// Half: one shard of the two that have rows.
			if half := a.handOver(t, "--buckets=480-495", "--from=v1"); !strings.Contains(half, "nothing was changed") {
				t.Errorf("without --yes:\n%s", half)
			}
			a.calm(t)
			a.handOver(t, "--buckets=480-495", "--from=v1", "--yes")
			a.tells(t, func(r left) bool { return r.blog%512 <= 495 })
			a.handOver(t, "--buckets=0-511", "--from=v1", "--yes")
			a.tells(t, func(left) bool { return true })
			a.crash(t, coordinator)
			a.restart(t)
			a.watched(t)
			a.tells(t, func(left) bool { return true })
			a.back(t, noUpdates)
		})
	}
}

// afternoon is a move from v1 on some rows.
type afternoon struct {
	system
	rows []left
}

// handOver runs jetmon handover and returns what it printed.
func (a afternoon) handOver(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := run(t, append([]string{"handover", "--db", a.dsn()}, args...)...)
	if code != 0 {
		t.Fatalf("jetmon handover %v ended with %d: %s", args, code, errs)
	}
	return out
}

// watched waits until every site has been checked twice more.
func (a afternoon) watched(t *testing.T) {
	t.Helper()
	var page struct{ Sites []site }
	a.rest.call(t, http.MethodGet, "/v1/sites", "", &page)
	for _, x := range page.Sites {
		a.checkedAgain(t, x.SiteID, 2)
	}
}

// outages waits until a number of outages is open, of all sites that fail.
func (a afternoon) outages(t *testing.T, want int) {
	t.Helper()
	db := openSQL(t, a.dsn())
	await(t, fmt.Sprint(want, " outages are open"), patience, func() bool {
		n := 0
		err := db.QueryRow("SELECT COUNT(*) FROM jetmon_outages WHERE open_site IS NOT NULL").Scan(&n)
		return err == nil && n == want
	})
}

// row reads status and time of the last change of a row.
func (a afternoon) row(t *testing.T, r left) (status int, changed string) {
	t.Helper()
	err := openSQL(t, a.dsn()).QueryRow(`SELECT site_status, COALESCE(CAST(last_status_change AS CHAR), '') FROM jetpack_monitor_sites
	WHERE blog_id = ?`, r.blog).Scan(&status, &changed)
	if err != nil {
		t.Fatal(err)
	}
	return status, changed
}

// calm checks that WordPress.com has heard nothing and v1's table is as it was.
func (a afternoon) calm(t *testing.T) {
	t.Helper()
	for _, r := range a.rows {
		a.inbox.isTold(t, r.target.URL())
		want := ""
		if !r.changed.IsZero() {
			want = r.changed.Format(time.DateTime)
		}
		if status, changed := a.row(t, r); status != r.status || changed != want {
			t.Errorf("the row with status %d since %q became %d since %q", r.status, want, status, changed)
		}
	}
}

// trial watches beside v1, over a crash and an orderly end.
func (a afternoon) trial(t *testing.T) {
	t.Helper()
	a.outages(t, 9)
	a.crash(t, coordinator)
	a.restart(t)
	a.watched(t)
	a.outages(t, 9)
	a.calm(t)
}

// parity compares the two. The trial has lasted long enough for it.
func (a afternoon) parity(t *testing.T) {
	t.Helper()
	execute(t, openSQL(t, a.dsn()), "UPDATE jetmon_shards SET trial_ms = trial_ms - 600000")
	code, out, errs := run(t, "parity", "--db", a.dsn(), "--json")
	var got struct {
		Sites []struct {
			Blog       int    `json:"blog_id"`
			Tell       string `json:"will_be_told"`
			HTTPStatus int    `json:"http_status"`
		}
		Report map[string]any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("jetmon parity ended with %d, %v: %s%s", code, err, out, errs)
	}
	for what, want := range map[string]float64{"sites_compared": 18, "both_up": 3, "both_down": 6, "only_v1_down": 6, "only_jetmon_down": 3, "not_watched": 0} {
		if got.Report[what] != want {
			t.Errorf("parity: %s is %v, want %v", what, got.Report[what], want)
		}
	}
	tell := map[int]string{}
	for _, s := range got.Sites {
		tell[s.Blog] = s.Tell
		if s.Tell == "DOWN" && s.HTTPStatus != http.StatusServiceUnavailable {
			t.Errorf("parity: site %+v without its cause", s)
		}
	}
	for _, r := range a.rows {
		want := map[bool]string{true: "UP", false: "DOWN"}[r.up]
		if r.up == (r.status == 1) {
			want = ""
		}
		if tell[r.blog] != want {
			t.Errorf("parity: a row with status %d and up %t will be told %q, want %q", r.status, r.up, tell[r.blog], want)
		}
	}
}

// tells waits until WordPress.com was told of some rows what v1 would tell it, and of no
// others anything.
func (a afternoon) tells(t *testing.T, ours func(left) bool) {
	t.Helper()
	for _, r := range a.rows {
		if ours(r) && r.told() != nil {
			a.inbox.awaitTold(t, r.target.URL(), patience, r.told()...)
		}
	}
	a.watched(t)
	for _, r := range a.rows {
		if !ours(r) {
			a.inbox.isTold(t, r.target.URL())
			continue
		}
		a.inbox.isTold(t, r.target.URL(), r.told()...)
		for _, attempt := range a.inbox.of(r.target.URL()) {
			r.wantBytes(t, attempt)
		}
	}
}

// back gives all buckets back to v1: WordPress.com hears no more of us, and the table is as v1
// expects it.
func (a afternoon) back(t *testing.T, noUpdates bool) {
	t.Helper()
	a.handOver(t, "--buckets=0-511", "--to=v1", "--yes")
	for _, r := range a.rows {
		want := r.status
		if told := r.told(); told != nil && !noUpdates {
			want = told[0]
		}
		if status, _ := a.row(t, r); status != want {
			t.Errorf("v1 finds status %d where it was %d and up is %t, want %d", status, r.status, r.up, want)
		}
	}
	a.complete(t)
	for _, r := range a.rows {
		if r.up {
			r.target.SetStatus(http.StatusServiceUnavailable)
		} else {
			r.target.SetStatus(http.StatusOK)
		}
	}
	a.watched(t)
	// Our own verdict follows the sites, and nobody hears of it.
	db := openSQL(t, a.dsn())
	for _, r := range a.rows {
		want := map[bool]int{true: 1, false: 0}[r.up]
		await(t, fmt.Sprintf("the outage of blog %d is as its site is now", r.blog), patience, func() bool {
			n := 0
			err := db.QueryRow("SELECT COUNT(*) FROM jetmon_outages WHERE open_site IS NOT NULL AND blog_id = ?", r.blog).Scan(&n)
			return err == nil && n == want
		})
	}
	a.watched(t)
	for _, r := range a.rows {
		a.inbox.isTold(t, r.target.URL(), r.told()...)
	}
}
