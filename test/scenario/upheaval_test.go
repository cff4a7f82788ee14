package scenario

import (
	"database/sql"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// fate is what happens to the row of a site that fails.
type fate string

const (
	deleted   fate = "is deleted"
	paused    fate = "is paused"
	mended    fate = "gets a URL that works"
	worsened  fate = "gets a URL that fails"
	forbidden fate = "gets a URL that cannot be asked"
)

// way is how the row is edited.
type way string

const (
	byAPI  way = "by the API"
	bySQL  way = "in the table, just before the crash"
	isAway way = "in the table, while no coordinator runs"
)

// point is how far an outage has come when the coordinator is killed.
type point struct {
	name string
	// mode is how WordPress.com treats notifications until then.
	mode mode
	// suspect: the sites fail, and nothing is decided.
	suspect bool
}

// victim is a site that fails, is edited, and comes back at last.
type victim struct {
	fate fate
	way  way
	blog int
	id   string
	// old and next are what its URLs lead to; the second is asked after the edit.
	old, next *fakesite.Site
	// url is the URL after the edit.
	url string
}

// userinfo makes a URL that no client may ask for.
func userinfo(url string) string { return strings.Replace(url, "http://", "http://me:secret@", 1) }

// WordPress.com and clients of the API delete, pause and change sites that fail, and the
// coordinator is killed in the same moment. Whatever it had done, told or seen by then, each
// outage ends or goes on as without the crash, and WordPress.com hears of each status once.
func TestAnEditOfAFailingSiteOutlivesACrash(t *testing.T) {
	t.Parallel()
	for _, p := range []point{
		{name: "before the outage is decided", mode: well, suspect: true},
		{name: "before it is told", mode: error500},
		{name: "while it is told", mode: forgets},
		{name: "after it is told", mode: well},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			o := setup{token: "wpcom-secret", flags: []string{"--interval=2s"}}
			if p.suspect {
				o.recheck = 20 * time.Second
			}
			tell(t, o, func(t *testing.T, s system) { upheaval(t, s, p) }, asRolesMariaDB(), asRoles())
		})
	}
	t.Run("after it is told, and WordPress.com writes its table itself", func(t *testing.T) {
		t.Parallel()
		o := setup{token: "wpcom-secret", flags: []string{"--interval=2s"}, noUpdates: true}
		tell(t, o, func(t *testing.T, s system) { upheaval(t, s, point{mode: well}) }, asRolesMariaDB(), asRoles())
	})
}

func upheaval(t *testing.T, s system, p point) {
	t.Helper()
	db := openSQL(t, s.dsn())
	all := victims(t, s)
	s.inbox.become(p.mode)
	failAll(t, s, p, all)
	for _, w := range []way{byAPI, bySQL} {
		edit(t, s, db, all, w)
	}
	s.crash(t, coordinator)
	edit(t, s, db, all, isAway)
	before := s.inbox.all()
	s.inbox.become(well)
	s.restart(t)
	for lives := 2; lives > 0; lives-- {
		for _, v := range all {
			v.settled(t, s, p)
		}
		if lives > 1 {
			s.crash(t, coordinator)
			s.restart(t)
		}
	}
	for _, v := range all {
		v.comesBack(t, s, db)
	}
	for _, v := range all {
		v.isOver(t, s, p)
	}
	sameBytes(t, s.inbox, before)
}

// victims adds the sites of the story, all of which work.
func victims(t *testing.T, s system) (all []*victim) {
	t.Helper()
	for _, w := range []way{byAPI, bySQL, isAway} {
		for _, f := range []fate{deleted, paused, mended, worsened, forbidden} {
			if f == forbidden && w == byAPI {
				continue // the API refuses it
			}
			v := &victim{fate: f, way: w, blog: 500 + len(all), old: fakesite.New(t), next: fakesite.New(t)}
			v.id, v.url = s.rest.create(t, v.old.URL(), v.blog).SiteID, v.old.URL()
			all = append(all, v)
		}
	}
	for _, v := range all {
		s.rest.awaitState(t, v.id, "UP")
	}
	return all
}

// failAll lets the sites fail until the outages have come as far as the story says.
func failAll(t *testing.T, s system, p point, all []*victim) {
	t.Helper()
	for _, v := range all {
		v.old.SetStatus(http.StatusServiceUnavailable)
	}
	for _, v := range all {
		if p.suspect {
			s.rest.awaitState(t, v.id, "SUSPECT")
			continue
		}
		await(t, "WordPress.com is asked to take a notification of "+v.url, patience, func() bool {
			for _, a := range s.inbox.all() {
				if a.notification.MonitorURL == v.url {
					return true
				}
			}
			return false
		})
	}
}

// edit edits the rows whose turn it is.
func edit(t *testing.T, s system, db *sql.DB, all []*victim, w way) {
	t.Helper()
	for _, v := range all {
		if v.way == w {
			v.edit(t, s, db)
		}
	}
}

func (v *victim) edit(t *testing.T, s system, db *sql.DB) {
	t.Helper()
	switch v.fate {
	case deleted:
		v.do(t, s, db, http.MethodDelete, "", "DELETE FROM jetpack_monitor_sites")
		return
	case paused:
		v.do(t, s, db, http.MethodPatch, `{"paused":true}`, "UPDATE jetpack_monitor_sites SET monitor_active = 0")
		return
	case worsened:
		v.next.SetStatus(http.StatusBadGateway)
		v.url = v.next.URL()
	case mended:
		v.url = v.next.URL()
	case forbidden:
		v.url = userinfo(v.next.URL())
	}
	v.moves(t, s, db)
}

// moves writes the URL.
func (v *victim) moves(t *testing.T, s system, db *sql.DB) {
	t.Helper()
	v.do(t, s, db, http.MethodPatch, fmt.Sprintf(`{"url":%q}`, v.url),
		fmt.Sprintf("UPDATE jetpack_monitor_sites SET monitor_url = '%s'", v.url))
}

// do makes one edit, by the API or in the table.
func (v *victim) do(t *testing.T, s system, db *sql.DB, method, body, statement string) {
	t.Helper()
	if v.way == byAPI {
		var answer struct{}
		s.rest.call(t, method, "/v1/sites/"+v.id, body, &answer)
		return
	}
	execute(t, db, statement+" WHERE jetpack_monitor_site_id = ?", v.id)
}

// settled waits until the edit has had its effect, and checks what WordPress.com was told.
func (v *victim) settled(t *testing.T, s system, p point) {
	t.Helper()
	told := []int{0}
	if p.suspect {
		told = nil
	}
	switch v.fate {
	case deleted:
		v.isGone(t, s)
	case paused:
		s.rest.awaitState(t, v.id, "PAUSED")
	case mended:
		s.rest.awaitState(t, v.id, "UP")
		if !p.suspect {
			s.inbox.awaitTold(t, v.url, patience, 1)
		}
	case worsened:
		s.rest.awaitState(t, v.id, "DOWN")
		if p.suspect {
			s.inbox.awaitTold(t, v.url, patience, 0)
		}
	case forbidden:
		s.rest.awaitState(t, v.id, "UNCHECKABLE")
		s.inbox.isTold(t, v.url)
		if n := v.next.Requests(""); n != 0 {
			t.Errorf("a URL that cannot be asked got %d requests", n)
		}
	}
	if len(told) > 0 { // a notification that waited at the crash comes in its own time
		s.inbox.awaitTold(t, v.old.URL(), patience, told...)
	}
	s.inbox.isTold(t, v.old.URL(), told...)
	v.outageIs(t, s, p)
}

func (v *victim) isGone(t *testing.T, s system) {
	t.Helper()
	if code, text, err := s.rest.do(t, http.MethodGet, "/v1/sites/"+v.id, "", ""); err != nil || code != http.StatusNotFound {
		t.Errorf("a deleted site answers %d %s %v", code, text, err)
	}
}

// outageIs waits until the outage of the old URL is as the edit leaves it.
func (v *victim) outageIs(t *testing.T, s system, p point) {
	t.Helper()
	if p.suspect {
		return
	}
	var o outage
	await(t, fmt.Sprintf("the outage of a site that %s %s is over or suspended", v.fate, v.way), patience, func() bool {
		o = v.first(t, s)
		return !o.EndTime.IsZero() || !o.SuspendTime.IsZero()
	})
	want := map[fate]string{deleted: "DELETED", paused: "UNSPECIFIED"}[v.fate]
	if want == "" {
		want = "CHANGED"
	}
	if o.EndReason != "END_REASON_"+want || o.EndTime.IsZero() != (v.fate == paused) || o.SuspendTime.IsZero() != (v.fate != paused) {
		t.Errorf("the outage of a site that %s %s is %+v", v.fate, v.way, o)
	}
}

// first returns the first outage of the site.
func (v *victim) first(t *testing.T, s system) outage {
	t.Helper()
	all := s.rest.outages(t, v.id)
	if len(all) == 0 {
		t.Fatalf("a site that %s %s has no outage", v.fate, v.way)
	}
	return all[len(all)-1]
}

// comesBack mends the site, and undoes the edit where nothing would be seen otherwise.
func (v *victim) comesBack(t *testing.T, s system, db *sql.DB) {
	t.Helper()
	v.old.SetStatus(http.StatusOK)
	v.next.SetStatus(http.StatusOK)
	switch v.fate {
	case paused:
		v.do(t, s, db, http.MethodPatch, `{"paused":false}`, "UPDATE jetpack_monitor_sites SET monitor_active = 1")
	case forbidden:
		v.url = v.old.URL()
		v.moves(t, s, db)
	}
}

// isOver waits for the end of the story: nothing is down any more, and all is told.
func (v *victim) isOver(t *testing.T, s system, p point) {
	t.Helper()
	old, next := []int{0}, []int(nil)
	if p.suspect {
		old = nil
	}
	switch {
	case v.fate == deleted:
	case (v.fate == paused || v.fate == forbidden) && !p.suspect:
		old = []int{0, 1}
	case v.fate == mended && !p.suspect:
		next = []int{1}
	case v.fate == worsened && p.suspect:
		next = []int{0, 1}
	case v.fate == worsened:
		next = []int{1}
	}
	if v.fate != deleted {
		now := s.rest.awaitState(t, v.id, "UP")
		s.inbox.awaitTold(t, v.url, patience, map[bool][]int{true: old, false: next}[v.url == v.old.URL()]...)
		await(t, "status 1 is committed", patience, func() bool { now = s.rest.site(t, v.id); return now.StatusID == 1 && now.OutageID == "0" })
	}
	s.inbox.isTold(t, v.old.URL(), old...)
	s.inbox.isTold(t, v.next.URL(), next...)
	s.inbox.isTold(t, userinfo(v.next.URL()))
	since := "null"
	for i, o := range s.rest.outages(t, v.id) {
		if o.EndTime.IsZero() {
			t.Errorf("outage %d of a site that %s %s is open: %+v", i, v.fate, v.way, o)
		}
		// Of the first at last. The row, where it is all that is left, has whole seconds.
		since = o.ConfirmTime.UTC().Format(`"2006-01-02T15:04:05\.`) + "(000|" + strings.TrimPrefix(o.ConfirmTime.Format(".000"), ".") + `)Z"`
	}
	for _, a := range append(s.inbox.of(v.old.URL()), s.inbox.of(v.next.URL())...) {
		v.wantBytes(t, a, since)
	}
}

// wantBytes compares a notification with v1's byte by byte, except for values that are new in
// each run. since is when WordPress.com was told that the site is down.
func (v *victim) wantBytes(t *testing.T, a attempt, since string) {
	t.Helper()
	own, vote, code := 0, 0, `(503|502)`
	if a.notification.StatusID == 1 {
		own, vote, code = 1, 1, `200`
	} else {
		since = "null"
	}
	ours := fmt.Sprintf(`\{"type":1,"host":"checker-[12]","status":%d,"rtt":\d+,"code":%s,"error_code":0\}`, own, code)
	votes := fmt.Sprintf(`\{"type":2,"host":"127\.0\.0\.1","status":%d,"rtt":\d+,"code":%s\}`, vote, code)
	want := fmt.Sprintf(`^\{"blog_id":%d,"monitor_url":%s,"status_id":%d,"last_check":"%s","last_status_change":%s,"checks":\[%s(,%s)*(,%s)*\],"token":"wpcom-secret"\}$`,
		v.blog, regexp.QuoteMeta(fmt.Sprintf("%q", a.notification.MonitorURL)), a.notification.StatusID,
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`, since, ours, ours, votes)
	if !regexp.MustCompile(want).MatchString(a.data) {
		t.Errorf("a notification of a site that %s %s is\n%s\nwant\n%s", v.fate, v.way, a.data, want)
	}
}

// sameBytes checks that a notification was the same bytes at each attempt, and came no more
// once it was answered with success.
func sameBytes(t *testing.T, b *inbox, before []attempt) {
	t.Helper()
	first, answered := map[string]string{}, map[string]bool{}
	for _, a := range b.all() {
		if answered[a.key] {
			t.Errorf("the notification %s was sent after its success: %s", a.key, a.data)
		}
		if data, known := first[a.key]; known && data != a.data {
			t.Errorf("the notification %s was\n%s\nand then\n%s", a.key, data, a.data)
		}
		first[a.key] = a.data
		answered[a.key] = a.mode == well
	}
	for _, a := range before {
		if !answered[a.key] {
			t.Errorf("the notification %s was lost: %s", a.key, a.data)
		}
	}
}
