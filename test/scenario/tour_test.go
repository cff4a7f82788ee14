package scenario

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // The tests write to the legacy table as WordPress.com does.

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/test/mariadb"
)

// pickedUp is the time within which Jetmon must notice somebody else's edit of the table.
const pickedUp = 60 * time.Second

func TestTourWithMariaDB(t *testing.T) {
	t.Parallel()
	s := begin(t, asRolesMariaDB(), setup{idle: true})
	db := openSQL(t, s.dsn())

	// What WordPress.com does in the table meanwhile: a new row, and a site taken off.
	// Their buckets have just been read, so that it takes as long as it may.
	off, added := fakesite.New(t), fakesite.New(t)
	offID := s.rest.create(t, off.URL(), 2).SiteID
	s.rest.awaitState(t, offID, "UP")
	edited := time.Now()
	for blog, bucket := range map[int]int{77: 0, 78: 200, 79: 511} {
		execute(t, db, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, check_interval) VALUES (?, ?, ?, 1)", blog, bucket, added.URL())
	}
	execute(t, db, "UPDATE jetpack_monitor_sites SET monitor_active = 0 WHERE jetpack_monitor_site_id = ?", offID)

	tour(t, s, db)

	await(t, "the rows of somebody else are watched, the site that was taken off is paused", time.Until(edited.Add(pickedUp)), func() bool {
		return s.rest.fleet(t).Coordinator.Sites == "3" && s.rest.site(t, offID).State == "SITE_STATE_PAUSED"
	})
	var page struct{ Sites []site }
	s.rest.call(t, http.MethodGet, "/v1/sites?blog_id=77", "", &page)
	if len(page.Sites) != 1 || page.Sites[0].URL != added.URL() {
		t.Fatalf("the sites of blog 77 are %+v, want the row of somebody else", page.Sites)
	}
	for _, blog := range []string{"78", "79"} {
		execute(t, db, "DELETE FROM jetpack_monitor_sites WHERE blog_id = ?", blog)
	}
	quiet := off.Requests("")
	s.checkedAgain(t, page.Sites[0].SiteID, 1)
	added.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, page.Sites[0].SiteID)
	s.inbox.awaitTold(t, added.URL(), patience, 0)
	if n := off.Requests(""); n != quiet {
		t.Errorf("the site that was taken off got %d requests more", n-quiet)
	}
}

// tour is the README's: a site comes, fails, recovers, pauses and goes.
func tour(t *testing.T, s system, db *sql.DB) {
	t.Helper()
	target := fakesite.New(t)
	id := s.rest.create(t, target.URL(), 71).SiteID
	s.rest.awaitState(t, id, "UP")
	status := func() (up bool) {
		var answer struct{ Status *bool }
		s.rest.call(t, http.MethodGet, "/wpcom/v2/sites/71/jetpack-monitor-status", "", &answer)
		if answer.Status == nil {
			t.Fatal("jetpack-monitor-status has no status")
		}
		return *answer.Status
	}
	if !status() {
		t.Error("jetpack-monitor-status of a site that is up is false")
	}

	target.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, id)
	down := s.inbox.awaitTold(t, target.URL(), patience, 0)[0]
	toldOfDown(t, s, id, down)
	o := s.rest.outages(t, id)[0]
	if status() {
		t.Error("jetpack-monitor-status of a site that is down is true")
	}
	legacyRow(t, db, id, 0, o.ConfirmTime)

	target.SetStatus(http.StatusOK)
	s.hurry(t, id)
	up := s.inbox.awaitTold(t, target.URL(), patience, 0, 1)[1]
	toldOfUp(t, s, id, up)
	o = s.rest.outage(t, o.OutageID)
	if !status() {
		t.Error("jetpack-monitor-status of a site that is up again is false")
	}
	legacyRow(t, db, id, 1, o.EndTime)

	pauseAndDelete(t, s, db, target, id, o)
}

func pauseAndDelete(t *testing.T, s system, db *sql.DB, target *fakesite.Site, id string, o outage) {
	t.Helper()
	if now := s.rest.patch(t, id, `{"paused":true,"check_interval":"120s"}`); now.State != "SITE_STATE_PAUSED" || now.CheckInterval != "120s" {
		t.Errorf("after the patch the site is %+v, want it paused and 120s", now)
	}
	var active, interval int
	row := db.QueryRowContext(t.Context(), "SELECT monitor_active, check_interval FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
	if err := row.Scan(&active, &interval); err != nil || active != 0 || interval != 2 {
		t.Errorf("the row has monitor_active %d, check_interval %d (%v), want 0 and 2", active, interval, err)
	}
	target.SetStatus(http.StatusServiceUnavailable)
	var gone struct{}
	s.rest.call(t, http.MethodDelete, "/v1/sites/"+id, "", &gone)
	if code, text, err := s.rest.do(t, http.MethodGet, "/v1/sites/"+id, "", ""); err != nil || code != http.StatusNotFound {
		t.Errorf("the deleted site answers %d %s %v, want 404", code, text, err)
	}
	var rows int
	row = db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
	if err := row.Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are left of the deleted site (%v)", rows, err)
	}
	if after := s.rest.outage(t, o.OutageID); !after.EndTime.Equal(o.EndTime) || len(after.Votes) != 3 {
		t.Errorf("the outage of the deleted site is %+v, want it as it was", after)
	}
	s.inbox.isTold(t, target.URL(), 0, 1)
}

// legacyRow checks a status and the time of its change in WordPress.com's table.
func legacyRow(t *testing.T, db *sql.DB, id string, status int, at time.Time) {
	t.Helper()
	var got int
	var changed int64
	row := db.QueryRowContext(t.Context(), "SELECT site_status, UNIX_TIMESTAMP(last_status_change) FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
	if err := row.Scan(&got, &changed); err != nil {
		t.Fatal(err)
	}
	if late := time.Unix(changed, 0).Sub(at).Abs(); got != status || late > time.Second {
		t.Errorf("the row has status %d since %s, want %d since %s", got, time.Unix(changed, 0), status, at)
	}
}

// openSQL opens a database of test/mariadb, or one of SQLite, as another program would.
func openSQL(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	driver, source := "mysql", strings.TrimPrefix(dsn, "mysql://")
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_busy_timeout=10000&_txlock=immediate"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// All buckets are read within the promised time, however long one takes and however many
// shards are owned when the reading begins.
func TestEditsOfTheTableAreSeenInTimeWhenTheDatabaseIsFar(t *testing.T) {
	t.Parallel()
	s := begin(t, inProcess(), setup{distance: 15 * time.Millisecond, idle: true})
	db, err := sqlstore.Open(t.Context(), s.dsn(), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	edited, target := time.Now(), fakesite.New(t)
	for i, bucket := range []check.BucketID{0, 200, 400, check.Buckets - 1} {
		row := record.Site{BlogID: check.BlogID(i + 1), Bucket: bucket, URL: target.URL(), Interval: time.Minute}
		if _, err := db.CreateSite(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the rows of somebody else are watched", time.Until(edited.Add(pickedUp)), func() bool {
		return s.rest.fleet(t).Coordinator.Sites == "4"
	})
}

// The database dies while a site fails. The decided change waits for it.
func TestOutageWaitsForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	takePlace(t)
	server := mariadb.NewServer(t)
	b := newInbox(t)
	h := startRoles(t, setup{recheck: time.Second}, b, server.DSN())
	s := system{harness: h, rest: rest{h.restURL()}, inbox: b}
	s.complete(t)
	target := fakesite.New(t)
	id := s.rest.create(t, target.URL(), 1).SiteID
	s.rest.awaitState(t, id, "UP")
	target.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, id)
	s.rest.awaitState(t, id, "SUSPECT")
	server.Kill(t)
	await(t, "the alarm that the database takes no changes", patience, func() bool {
		f := s.rest.fleet(t)
		return len(f.Alarms) > 0 && f.Alarms[0].Kind == "ALARM_KIND_STORE"
	})
	s.inbox.isTold(t, target.URL())
	if code, text, err := s.rest.do(t, http.MethodGet, "/v1/sites/"+id, "", ""); err != nil || code != http.StatusServiceUnavailable {
		t.Errorf("without a database a site answers %d %s %v, want 503", code, text, err)
	}
	server.Restart(t)
	s.inbox.awaitTold(t, target.URL(), undecided, 0)
	s.rest.awaitState(t, id, "DOWN")
	await(t, "the alarms end", undecided, func() bool { return len(s.rest.fleet(t).Alarms) == 0 })
	s.checkedAgain(t, id, 2)
	s.inbox.isTold(t, target.URL(), 0)
	if all := s.rest.outages(t, id); len(all) != 1 {
		t.Errorf("outages %+v, want one", all)
	}
}
