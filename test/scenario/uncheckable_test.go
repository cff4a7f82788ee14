package scenario

import (
	"database/sql"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

// unaskable lists URLs of every kind that no client may ask for, and why.
func unaskable() []struct{ url, reason string } {
	return []struct{ url, reason string }{
		{"ftp://127.0.0.1/", "scheme"},
		{"http://me:secret@127.0.0.1/", "userinfo"},
		{"http://127.0.0.1/a\x01b", "bad_url"},
		{"", "bad_host"},
		{"http://a..b/", "bad_host"},
		{"http://127.0.0.1:99999/", "bad_port"},
		{"http://127.0.0.1/" + strings.Repeat("é", 200), "bad_url"},
	}
}

// debugAt finds where the coordinator serves its metrics.
var debugAt = regexp.MustCompile(`msg="debug listener" address=(\S+)`)

// The table may have any text as a URL. A row whose URL cannot be asked says so wherever
// somebody may look, nobody is told of it, and it is checked once its URL is a good one.
func TestARowThatCannotBeAskedSaysSo(t *testing.T) {
	t.Parallel()
	tell(t, setup{flags: []string{"--interval=1s", "--debug-listen=127.0.0.1:0"}, idle: true}, func(t *testing.T, s system) {
		db, target := openSQL(t, s.dsn()), fakesite.New(t)
		target.SetStatus(http.StatusServiceUnavailable)
		all := unaskable()
		for i, u := range all {
			// The second was told as down by v1.
			execute(t, db, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, site_status, check_interval) VALUES (?, ?, ?, ?, 1)",
				600+i, i*70, u.url, map[bool]int{true: 0, false: 1}[i == 1])
		}
		healthy := s.rest.create(t, fakesite.New(t).URL(), 1).SiteID
		s.rest.awaitState(t, healthy, "UP")
		await(t, "the rows are listed as uncheckable", patience, func() bool { return len(s.uncheckable(t, "")) == len(all) })
		count := map[string]int{}
		for i, u := range all {
			x := s.uncheckable(t, fmt.Sprintf("&blog_id=%d", 600+i))
			if len(x) != 1 {
				t.Fatalf("%q is listed as %+v", u.url, x)
			}
			s.saysWhy(t, x[0].SiteID, u.url, u.reason)
			count[u.reason]++
		}
		s.counts(t, count)
		code, out, _ := run(t, "sites", "list", "--state=uncheckable", "--json", "--coordinator="+s.coordinatorAddr())
		if n := strings.Count(out, `"SITE_STATE_UNCHECKABLE"`); code != 0 || n != len(all) {
			t.Errorf("jetmon sites list: exit code %d, %d sites: %s", code, n, out)
		}
		if told := s.inbox.all(); len(told) != 0 {
			t.Errorf("WordPress.com was told: %+v", told)
		}
		s.asksAgain(t, db, target)
	}, asRolesMariaDB(), asRoles())
}

// uncheckable lists the sites that cannot be checked.
func (s system) uncheckable(t *testing.T, query string) []site {
	t.Helper()
	var page struct{ Sites []site }
	s.rest.call(t, http.MethodGet, "/v1/sites?state=SITE_STATE_UNCHECKABLE"+query, "", &page)
	return page.Sites
}

// saysWhy checks the site and its explanation.
func (s system) saysWhy(t *testing.T, id, url, reason string) {
	t.Helper()
	var now struct {
		URL, State      string
		LastObservation struct{ Outcome, Failure, Reason string } `json:"last_observation"`
	}
	s.rest.call(t, http.MethodGet, "/v1/sites/"+id, "", &now)
	if o := now.LastObservation; now.URL != url || now.State != "SITE_STATE_UNCHECKABLE" || o.Outcome != "OUTCOME_UNKNOWN" || o.Failure != "FAILURE_KIND_POLICY" || o.Reason != reason {
		t.Errorf("%q is %+v, want it uncheckable with the reason %s", url, now, reason)
	}
	var why struct{ Summary string }
	s.rest.call(t, http.MethodGet, "/v1/sites/"+id+":explain", "", &why)
	if !strings.HasPrefix(why.Summary, "Uncheckable: its URL cannot be checked ("+reason+"), so nobody is told anything;") {
		t.Errorf("%q is explained as %q", url, why.Summary)
	}
}

// metrics reads the coordinator's metrics.
func (s system) metrics(t *testing.T) string {
	t.Helper()
	found := debugAt.FindStringSubmatch(s.log(coordinator))
	if found == nil {
		t.Fatalf("the coordinator does not say where its metrics are:\n%s", s.log(coordinator))
	}
	_, text, err := rest{"http://" + found[1]}.do(t, http.MethodGet, "/metrics", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// counts checks the coordinator's metrics.
func (s system) counts(t *testing.T, by map[string]int) {
	t.Helper()
	text := s.metrics(t)
	total := 0
	for reason, n := range by {
		total += n
		if want := fmt.Sprintf("jetmon_uncheckable_sites_by_reason{reason=%q} %d\n", reason, n); !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if want := fmt.Sprintf("jetmon_uncheckable_sites %d\n", total); !strings.Contains(text, want) {
		t.Errorf("the metrics have no %s", want)
	}
}

// asksAgain gives two of the rows good URLs, by the API and in the table, one of a site that
// is down: from then on they are sites as any.
func (s system) asksAgain(t *testing.T, db *sql.DB, down *fakesite.Site) {
	t.Helper()
	wasDown, other := s.uncheckable(t, "&blog_id=601")[0], s.uncheckable(t, "&blog_id=602")[0]
	up := fakesite.New(t)
	s.rest.patch(t, wasDown.SiteID, fmt.Sprintf(`{"url":%q}`, up.URL()))
	execute(t, db, "UPDATE jetpack_monitor_sites SET monitor_url = ? WHERE jetpack_monitor_site_id = ?", down.URL(), other.SiteID)
	s.rest.awaitState(t, wasDown.SiteID, "UP")
	s.inbox.awaitTold(t, up.URL(), patience, 1) // v1 told that it is down
	s.rest.awaitState(t, other.SiteID, "DOWN")
	s.inbox.awaitTold(t, down.URL(), patience, 0)
	if n := len(s.uncheckable(t, "")); n != len(unaskable())-2 {
		t.Errorf("%d sites are uncheckable", n)
	}
}

// A special address is refused by the API, since no checker would visit it. In the table it is
// uncheckable. The demo's own sites, which are on loopback, are exceptions.
func TestASpecialAddressIsRefusedOrUncheckable(t *testing.T) {
	t.Parallel()
	takePlace(t)
	b := newInbox(t)
	h := startPublicDev(t, b, "--interval=1s", "--recheck=1s")
	s := system{harness: h, rest: rest{h.restURL()}, inbox: b}
	s.complete(t)
	for _, url := range []string{"http://10.0.0.1/", "http://[::1]:8080/", "http://localhost/"} {
		body := fmt.Sprintf(`{"url":%q,"blog_id":1}`, url)
		code, text, err := s.rest.do(t, http.MethodPost, "/v1/sites", "application/json", body)
		if err != nil || code != http.StatusBadRequest || !strings.Contains(text, `"field":"url"`) || !strings.Contains(text, "special address") {
			t.Errorf("%s: status %d, %v: %s", url, code, err, text)
		}
	}
	db := openSQL(t, s.dsn())
	for i, url := range []string{"http://10.0.0.1/", "http://localhost/"} {
		execute(t, db, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, check_interval) VALUES (?, 7, ?, 1)", 700+i, url)
	}
	await(t, "the rows are listed as uncheckable", patience, func() bool { return len(s.uncheckable(t, "")) == 2 })
	s.saysWhy(t, s.uncheckable(t, "&blog_id=700")[0].SiteID, "http://10.0.0.1/", "private")
	s.saysWhy(t, s.uncheckable(t, "&blog_id=701")[0].SiteID, "http://localhost/", "loopback")
	var page struct{ Sites []site }
	s.rest.call(t, http.MethodGet, "/v1/sites", "", &page)
	demo := page.Sites[0].URL
	if s.rest.create(t, demo, 9).URL != demo {
		t.Errorf("the demo's site %s cannot be added again", demo)
	}
	for _, a := range b.all() {
		if !strings.HasPrefix(a.notification.MonitorURL, strings.TrimSuffix(demo, "/")[:len("http://127.0.0.1:")]) {
			t.Errorf("WordPress.com was told: %s", a.data)
		}
	}
}
