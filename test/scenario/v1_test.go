package scenario

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// left is a row as v1 left it, and the condition of its site.
type left struct {
	blog, status int
	changed      time.Time // zero is NULL
	up           bool
	target       *fakesite.Site
}

// leaveRows returns rows of each status, with and without its time, of working and of failing
// sites.
func leaveRows(t *testing.T) (rows []left) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	for status := range 3 {
		for _, changed := range []time.Time{{}, now.Add(-30 * time.Minute), now.AddDate(0, 0, -3)} {
			for _, up := range []bool{true, false} {
				r := left{blog: 1000 + len(rows), status: status, changed: changed, up: up, target: fakesite.New(t)}
				if !up {
					r.target.SetStatus(http.StatusServiceUnavailable)
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// insertLeft writes the rows where v1 has them.
func insertLeft(t *testing.T, dsn string, rows []left) {
	t.Helper()
	db := openSQL(t, dsn)
	for _, r := range rows {
		var changed any
		if !r.changed.IsZero() {
			changed = r.changed.Format(time.DateTime)
		}
		execute(t, db, `INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, site_status, last_status_change, check_interval)
	VALUES (?, ?, ?, ?, ?, 1)`, r.blog, r.blog%512, r.target.URL(), r.status, changed)
	}
}

// told returns the status that v1 would send for a row at once; none if it sends nothing.
func (r left) told() []int {
	switch {
	case r.up && r.status != 1:
		return []int{1}
	case !r.up && r.status == 1:
		return []int{0}
	case !r.up && r.status == 0 && time.Since(r.changed) > 59*time.Minute:
		return []int{2}
	}
	return nil
}

// wantBytes compares a notification with v1's byte by byte, except for values that are new in
// each run.
func (r left) wantBytes(t *testing.T, a attempt) {
	t.Helper()
	since := "null"
	if !r.changed.IsZero() {
		since = r.changed.Format(`"2006-01-02T15:04:05.000Z"`)
	}
	code, vote := http.StatusServiceUnavailable, 0
	if r.up {
		code, vote = http.StatusOK, 1
	}
	ours := fmt.Sprintf(`\{"type":1,"host":"checker-[12]","status":%d,"rtt":\d+,"code":%d,"error_code":0\}`, a.notification.StatusID, code)
	votes := fmt.Sprintf(`\{"type":2,"host":"127\.0\.0\.1","status":%d,"rtt":\d+,"code":%d\}`, vote, code)
	want := fmt.Sprintf(`^\{"blog_id":%d,"monitor_url":%s,"status_id":%d,"last_check":"%s","last_status_change":%s,"checks":\[%s(,%s)*(,%s)*\],"token":"wpcom-secret"\}$`,
		r.blog, regexp.QuoteMeta(fmt.Sprintf("%q", r.target.URL())), r.told()[0], `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`, regexp.QuoteMeta(since), ours, ours, votes)
	if !regexp.MustCompile(want).MatchString(a.data) {
		t.Errorf("the notification of a row with status %d since %s is\n%s\nwant\n%s", r.status, since, a.data, want)
	}
}

// v1 stops and Jetmon starts on its table. Jetmon sends for each site what v1 would have sent
// next, and nothing else, also after a crash.
func TestTheRowsThatV1LeftAreGoneOnWithAsV1Would(t *testing.T) {
	t.Parallel()
	for name, noUpdates := range map[string]bool{"with --db-updates": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := leaveRows(t)
			s := begin(t, asRolesMariaDB(), setup{
				token: "wpcom-secret", noUpdates: noUpdates, flags: []string{"--interval=2s"},
				before: func(t *testing.T, dsn string) { insertLeft(t, dsn, rows) },
			})
			for _, r := range rows {
				if r.told() != nil {
					s.inbox.awaitTold(t, r.target.URL(), patience, r.told()...)
				}
			}
			var page struct{ Sites []site }
			s.rest.call(t, http.MethodGet, "/v1/sites", "", &page)
			for range 2 { // lives of the coordinator
				for _, x := range page.Sites {
					s.checkedAgain(t, x.SiteID, 2)
				}
				for _, r := range rows {
					s.inbox.isTold(t, r.target.URL(), r.told()...)
					for _, a := range s.inbox.of(r.target.URL()) {
						r.wantBytes(t, a)
					}
				}
				s.crash(t, coordinator)
				s.restart(t)
			}
		})
	}
}

// misbehaviours are sites that fail, with the code and the error code that v1 sent for each.
// A site that answers too late is a test of notify.Codes: it would take a minute here.
func misbehaviours() []misbehaviour {
	raw := func(answer string) func(*testing.T, *fakesite.Site) {
		return func(_ *testing.T, s *fakesite.Site) { s.SetRaw(answer) }
	}
	status := func(code int) func(*testing.T, *fakesite.Site) {
		return func(_ *testing.T, s *fakesite.Site) { s.SetStatus(code) }
	}
	return []misbehaviour{
		{"closes without an answer", raw(""), 0, 998},
		{"resets the connection", func(_ *testing.T, s *fakesite.Site) { s.Reset() }, 0, 998},
		{"speaks something else", raw("220 ready\r\n"), 999, 999},
		{"answers 500", status(http.StatusInternalServerError), 500, 0},
		{"answers 404", status(http.StatusNotFound), 404, 0},
		{"answers 403", status(http.StatusForbidden), 403, 0},
		{"redirects without a Location", raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), 0, 997},
		{"redirects to where nobody listens", func(t *testing.T, s *fakesite.Site) {
			s.SetRaw("HTTP/1.1 302 Found\r\nLocation: http://" + unused(t) + "/\r\nContent-Length: 0\r\n\r\n")
		}, 0, 996},
	}
}

type misbehaviour struct {
	name            string
	start           func(*testing.T, *fakesite.Site)
	code, errorCode int
}

// unused returns an address on which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Each way of failing is told with v1's codes, by which WordPress.com chooses what to mail.
func TestMisbehavingSitesAreToldWithV1sCodes(t *testing.T) {
	t.Parallel()
	s := begin(t, inProcess(), setup{token: "wpcom-secret"})
	for i, m := range misbehaviours() {
		t.Run(m.name, func(t *testing.T) {
			target := fakesite.New(t)
			id := s.rest.create(t, target.URL(), 100+i).SiteID
			s.rest.awaitState(t, id, "UP")
			m.start(t, target)
			s.hurry(t, id)
			told := s.inbox.awaitTold(t, target.URL(), patience, 0)[0]
			want := fmt.Sprintf(`"code":%d,"error_code":%d}`, m.code, m.errorCode)
			if !strings.Contains(told.data, want) || strings.Count(told.data, `"error_code"`) != strings.Count(told.data, want) {
				t.Errorf("told %s\nwant each check with %s", told.data, want)
			}
		})
	}
}
