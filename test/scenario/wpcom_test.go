package scenario

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/test/fakesite"
)

// wordPress asks as WordPress.com's clients do, for sites on a port of loopback.
type wordPress struct {
	rest
	port string
	// now is when the story began. Its days are those of the answers, so no story begins
	// shortly before midnight.
	now time.Time
}

// site is a URL of one of the sites.
func (w wordPress) site(host, path string) string { return "http://" + host + ":" + w.port + path }

// ask expects an answer, whole.
func (w wordPress) ask(t *testing.T, what, method, path, body string, code int, want string) {
	t.Helper()
	w.askAt(t, what, method, "/wpcom/v2/sites/"+path, body, code, want)
}

// askAt is ask at any path.
func (w wordPress) askAt(t *testing.T, what, method, path, body string, code int, want string) {
	t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	got, text, err := w.do(t, method, path, kind, body)
	if time.Now().UTC().Day() != w.now.Day() {
		t.Fatalf("midnight has passed since %s: the days that the test knows are those of yesterday", w.now.Format(time.DateTime))
	}
	if err != nil || got != code || strings.TrimSpace(text) != want {
		t.Errorf("%s: %s %s %s: %d, %v\n got %s\nwant %d\n     %s", what, method, path, body, got, err, strings.TrimSpace(text), code, want)
	}
}

// settings is the answer of jetpack-monitor-settings, by contract-v1.md E2.
func (w wordPress) settings(active bool, minutes int, emails string, urls ...string) string {
	return fmt.Sprintf(`{"success":true,"settings":{"monitor_active":%t,"wp_note_notifications":true,"email_notifications":true,"sms_notifications":false,`+
		`"jetmon_defer_status_down_minutes":%d,"urls":[%s],"contacts":{"emails":[%s],"sms_numbers":[]}}}`, active, minutes, strings.Join(urls, ","), emails)
}

func (w wordPress) url(url string, interval int, hook string) string {
	return fmt.Sprintf(`{"monitor_url":%q,"check_interval":%d,"options":{"status_down_webhook_url":%q}}`, url, interval, hook)
}

// days are the answers of jetpack-monitor-uptime and -incidents for days of which some had so
// many minutes of downtime, by how long ago they were, the first of them watched ago days ago.
func (w wordPress) days(t *testing.T, n, watched int, down map[int]int) (uptime, incidents string) {
	t.Helper()
	type day struct {
		Status   string `json:"status"`
		Downtime int    `json:"downtime_in_minutes"`
	}
	type incident struct {
		Date     string `json:"date"`
		Status   string `json:"status"`
		Downtime int    `json:"total_downtime"`
	}
	byDate := map[string]day{}
	var list struct {
		Incidents []incident `json:"incidents"`
	}
	for ago := range n {
		date := w.now.AddDate(0, 0, -ago).Format(time.DateOnly)
		d, i := day{Status: "up"}, incident{Date: date, Status: "up"}
		if ago > watched {
			d.Status, i.Status = "monitor_inactive", "no-data"
		}
		if m := down[ago]; m > 0 {
			d, i = day{"down", m}, incident{date, "down", m}
		}
		byDate[date] = d
		list.Incidents = append(list.Incidents, i)
	}
	return encode(t, byDate), encode(t, list)
}

// wellBeforeMidnight returns a time from which a story ends on the same day in UTC: now, or
// shortly after a midnight that it waits for.
func wellBeforeMidnight(t *testing.T) time.Time {
	t.Helper()
	now := time.Now().UTC()
	if left := now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now); left < 2*time.Minute {
		if !pause.For(t.Context(), left) {
			t.Fatal("the test ended before midnight did")
		}
		now = time.Now().UTC()
	}
	return now
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// outage adds an outage of a URL that is over, for so many minutes from a time on.
func (w wordPress) outage(t *testing.T, db *sql.DB, url string, start time.Time, lasted time.Duration) {
	t.Helper()
	execute(t, db, `INSERT INTO jetmon_outages (site_id, open_site, blog_id, bucket, url, status, status_ms, start_ms, confirmed_ms, end_ms,
	failure, reason, http_status, rule_voters, rule_need, rule_regions, round, relapses, end_reason, suspended_ms, paused_ms)
	SELECT jetpack_monitor_site_id, NULL, blog_id, bucket_no, monitor_url, 1, ?, ?, ?, ?, 7, '', 503, 3, 2, 2, 1, 0, 1, 0, 0
	FROM jetpack_monitor_sites WHERE monitor_url = ?`, start.UnixMilli(), start.UnixMilli(), start.UnixMilli(), start.Add(lasted).UnixMilli(), url)
}

func TestWordPressComsShapes(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	for _, name := range []string{"shop.example", "www.shop.example", "xn--mnchen-3ya.example", "alone.example"} {
		names.Host(name, "127.0.0.1")
	}
	o := setup{checkerDNS: names.Addr(), veriflierDNS: names.Addr(), flags: []string{"--interval=1h"}, idle: true}
	tell(t, o, func(t *testing.T, s system) {
		target := fakesite.New(t)
		w := wordPress{rest: s.rest, port: target.URL()[strings.LastIndex(target.URL(), ":")+1:], now: wellBeforeMidnight(t)}
		w.port = strings.TrimSuffix(w.port, "/")
		t.Run("settings", w.edits)
		db := openSQL(t, s.dsn())
		// As if it had been so for ten days.
		execute(t, db, "DELETE FROM jetmon_site_watches")
		execute(t, db, "INSERT INTO jetmon_site_watches (site_id, start_ms, end_ms) SELECT jetpack_monitor_site_id, ?, 0 FROM jetpack_monitor_sites", w.now.AddDate(0, 0, -10).UnixMilli())
		midnight := w.now.Truncate(24 * time.Hour)
		w.outage(t, db, w.site("shop.example", "/wp-cron.php"), midnight.Add(-49*time.Hour), 90*time.Minute+time.Second)
		w.outage(t, db, w.site("www.shop.example", "/"), midnight.Add(-47*time.Hour-50*time.Minute), time.Hour)
		w.outage(t, db, w.site("xn--mnchen-3ya.example", "/"), midnight.AddDate(0, 0, -40), 36*time.Hour)
		t.Run("days", w.asks)
	}, asRoles(), asRolesMariaDB())
}

// protect is the answer of protect-dashboard/uptime, as days has them.
func (w wordPress) protect(t *testing.T, watched int, down map[int]int) string {
	t.Helper()
	type day struct {
		Date     string `json:"date"`
		Status   string `json:"status"`
		Downtime int    `json:"downtimeInMinutes"`
	}
	answer := struct {
		Days []day `json:"days"`
		IsUp bool  `json:"isUp"`
	}{IsUp: true}
	for ago := 39; ago >= 0; ago-- {
		d := day{Date: w.now.AddDate(0, 0, -ago).Format(time.DateOnly), Status: "up"}
		if ago > watched {
			d.Status = "monitor_inactive"
		}
		if m := down[ago]; m > 0 {
			d.Status, d.Downtime = "down", m
		}
		answer.Days = append(answer.Days, d)
	}
	return encode(t, answer)
}

// agencySite is the entry of a blog in the list of an agency.
func (w wordPress) agencySite(blog int, url, changed, down string, minutes, deferred int, emails string) string {
	return fmt.Sprintf(`{"blog_id":%d,"url":%q,"url_with_scheme":%q,"monitor_active":true,"monitor_site_status":true,"monitor_last_status_change":%q,`+
		`"monitor_settings":{"monitor_active":true,"monitor_site_status":true,"last_down_time":%q,"check_interval":%d,"monitor_deferment_time":%d,`+
		`"monitor_user_email_notifications":true,"monitor_user_wp_note_notifications":true,"monitor_user_sms_notifications":false,`+
		`"monitor_notify_additional_user_emails":[%s],"monitor_notify_additional_user_sms":[]}}`,
		blog, strings.TrimPrefix(url, "http://"), url, changed, down, minutes, deferred, emails)
}

// reads has PHP read the answers by the rules of Jetpack's plugin.
func (w wordPress) reads(t *testing.T) {
	const php = `
		$get = fn ( $path ) => json_decode( file_get_contents( $argv[1] . $path ), true );
		$days = $get( '/wpcom/v2/sites/71/jetpack-monitor-uptime?period=' . rawurlencode( '90 days' ) );
		ksort( $days );
		$bad = array_filter( $days, fn ( $day, $date ) => ! preg_match( '/^\d{4}-\d{2}-\d{2}$/', $date ) || ! is_int( $day['downtime_in_minutes'] ?? null )
			|| ! in_array( $day['status'] ?? null, array( 'up', 'down', 'monitor_inactive' ), true ), ARRAY_FILTER_USE_BOTH );
		$mine = array_map( fn ( $date ) => array( 'date' => $date, 'status' => $days[ $date ]['status'], 'downtimeInMinutes' => $days[ $date ]['downtime_in_minutes'] ), array_slice( array_keys( $days ), -40 ) );
		$theirs = $get( '/wpcom/v2/sites/71/protect-dashboard/uptime' );
		$is_up = $get( '/wpcom/v2/sites/71/jetpack-monitor-status' )['status'];
		var_export( array( count( $bad ), $mine === $theirs['days'], $is_up, $theirs['isUp'] ) );`
	out, err := exec.CommandContext(t.Context(), "php", "-n", "-d", "allow_url_fopen=1", "-r", php, w.base).CombinedOutput()
	if got := strings.Join(strings.Fields(string(out)), ""); err != nil || got != "array(0=>0,1=>true,2=>true,3=>true,)" {
		t.Errorf("Jetpack reads %s, %v", out, err)
	}
}

// edits is what a client does to the settings, one step after the other.
func (w wordPress) edits(t *testing.T) {
	shop, cron, www := w.site("shop.example", ""), w.site("shop.example", "/wp-cron.php"), w.site("www.shop.example", "/")
	const none, mail = "", `{"name":"Ann","email_address":"ann@example.com","verified":true}`
	for _, step := range []struct {
		what, site, body string
		code             int
		want             string
	}{
		{"nothing is there yet", "71", ``, 404, `{"code":"unknown_blog","message":"site: no monitored site is \"71\"","data":{"status":404}}`},
		{"nor can it be set", "71", `{"monitor_active":true}`, 404, `{"code":"unknown_blog","message":"site: no monitored site is \"71\"","data":{"status":404}}`},
		{"two URLs, numbers as PHP sends them", "71", `{"urls":[{"monitor_url":"` + shop + `","check_interval":"7"},{"monitor_url":"` + cron + `","options":[]}]}`, 200,
			w.settings(true, 5, none, w.url(shop, 7, ""), w.url(cron, 5, ""))},
		{"a third one, and a webhook; the first by another spelling", "71", `{"urls":[{"monitor_url":"` + strings.ToUpper(shop) + `/"},{"monitor_url":"` + cron +
			`","check_interval":1,"options":{"status_down_webhook_url":"https://hook.example/x?y=1&z=2"}},{"monitor_url":"` + www + `"}]}`, 200,
			w.settings(true, 5, none, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"one field keeps the others", "71", `{"jetmon_defer_status_down_minutes":"15"}`, 200,
			w.settings(true, 15, none, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"contacts", "71", `{"contacts":{"emails":[{"name":"Ann","email_address":"ann@example.com","verified":"1"}]}}`, 200,
			w.settings(true, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"numbers keep mails", "71", `{"contacts":{"sms_numbers":[]}}`, 200,
			w.settings(true, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"off, by host", "www.shop.example", `{"monitor_active":0}`, 200,
			w.settings(false, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"on, by host and path", "shop.example::wp-cron.php", `{"monitor_active":"True"}`, 200,
			w.settings(true, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, "https://hook.example/x?y=1&z=2"), w.url(www, 5, ""))},
		{"no webhook, by host and port", "shop.example:" + w.port, `{"urls":[{"monitor_url":"` + shop + `"},{"monitor_url":"` + cron + `","options":{"status_down_webhook_url":""}},{"monitor_url":"` + www + `"}]}`, 200,
			w.settings(true, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, ""), w.url(www, 5, ""))},
		{"another blog, IDN", "72", `{"urls":[{"monitor_url":"` + w.site("xn--mnchen-3ya.example", "/") + `"}]}`, 200,
			w.settings(true, 5, none, w.url(w.site("xn--mnchen-3ya.example", "/"), 5, ""))},
		{"IDN in Unicode", "m%C3%BCnchen.example", `{"email_notifications":"true"}`, 200,
			w.settings(true, 5, none, w.url(w.site("xn--mnchen-3ya.example", "/"), 5, ""))},
		{"a third blog with the first one's host, and one of its own", "73", `{"urls":[{"monitor_url":"` + w.site("shop.example", "/other") + `"},{"monitor_url":"` + w.site("alone.example", "/") + `"}]}`, 200,
			w.settings(true, 5, none, w.url(w.site("shop.example", "/other"), 5, ""), w.url(w.site("alone.example", "/"), 5, ""))},
		{"a host of two blogs has no settings", "shop.example", ``, 400,
			`{"code":"rest_failed_precondition","message":"site: several blogs have \"shop.example\"; name one by its id","data":{"status":400}}`},
		{"a URL goes, and its neighbour stays", "alone.example", `{"urls":[{"monitor_url":"` + w.site("alone.example", "/") + `"}]}`, 200,
			w.settings(true, 5, none, w.url(w.site("alone.example", "/"), 5, ""))},
		{"one bad URL, and nothing is changed", "73", `{"urls":[{"monitor_url":"` + w.site("alone.example", "/new") + `"},{"monitor_url":"ftp://alone.example/"}]}`, 400,
			`{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls[1].monitor_url: must begin with http:// or https://"}}}`},
		{"one URL twice", "73", `{"urls":[{"monitor_url":"http://alone.example"},{"monitor_url":"http://ALONE.example:80/#x"}]}`, 400,
			`{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls[1].monitor_url: is in the list twice"}}}`},
		{"no URL at all", "73", `{"urls":[]}`, 400,
			`{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls: must have at least one URL; monitor_active pauses all"}}}`},
		{"a webhook that is none", "73", `{"urls":[{"monitor_url":"http://alone.example","options":{"status_down_webhook_url":"javascript:x"}}]}`, 400,
			`{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls[0].options.status_down_webhook_url: must begin with http:// or https://"}}}`},
		{"so it is as it was", "73", ``, 200, w.settings(true, 5, none, w.url(w.site("alone.example", "/"), 5, ""))},
		{"and so is the first one, by id", "71", ``, 200,
			w.settings(true, 15, mail, w.url(shop, 7, ""), w.url(cron, 1, ""), w.url(www, 5, ""))},
	} {
		method := http.MethodPost
		if step.body == "" {
			method = http.MethodGet
		}
		w.ask(t, step.what, method, step.site+"/jetpack-monitor-settings", step.body, step.code, step.want)
	}
}

// asks is what a client reads of the days, by each name of a site.
func (w wordPress) asks(t *testing.T) {
	cron := map[int]int{3: 60, 2: 31}
	both := map[int]int{3: 60, 2: 70}
	long := map[int]int{40: 24 * 60, 39: 12 * 60}
	for _, tt := range []struct {
		site    string
		watched int
		down    map[int]int
	}{
		{"71", 10, both},
		{"shop.example", 10, cron},
		{"SHOP.example.", 10, cron},
		{"shop.example:" + w.port, 10, cron},
		{"shop.example::wp-cron.php", 10, cron},
		{"shop.example:" + w.port + "::wp-cron.php::", 10, cron},
		{"www.shop.example", 10, map[int]int{2: 60}},
		{"72", 10, long},
		{"m%C3%BCnchen.example", 10, long},
		{"XN--MNCHEN-3YA.example", 10, long},
		{"73", 10, nil},
		{"alone.example::", 10, nil},
	} {
		w.ask(t, "status", http.MethodGet, tt.site+"/jetpack-monitor-status", "", 200, `{"status":true}`)
		uptime, incidents := w.days(t, 30, tt.watched, tt.down)
		w.ask(t, "uptime", http.MethodGet, tt.site+"/jetpack-monitor-uptime", "", 200, uptime)
		w.ask(t, "uptime of 30 days", http.MethodGet, tt.site+"/jetpack-monitor-uptime?period=30+days", "", 200, uptime)
		w.ask(t, "incidents", http.MethodGet, tt.site+"/jetpack-monitor-incidents", "", 200, incidents)
		uptime, _ = w.days(t, 90, tt.watched, tt.down)
		w.ask(t, "the dashboard's", http.MethodGet, tt.site+"/protect-dashboard/uptime", "", 200, w.protect(t, tt.watched, tt.down))
		w.ask(t, "uptime of 90 days", http.MethodGet, tt.site+"/jetpack-monitor-uptime?period=90%20days", "", 200, uptime)
	}
	midnight := w.now.Truncate(24 * time.Hour)
	const never, mail = "1970-01-01 00:00:00", `{"name":"Ann","email_address":"ann@example.com","verified":true}`
	w.askAt(t, "an agency's list", http.MethodGet, "/wpcom/v2/jetpack-agency/sites?blog_ids=73&blog_ids=72&blog_ids=999&blog_ids=71", "", 200, `{"sites":[`+strings.Join([]string{
		w.agencySite(71, w.site("shop.example", ""), never, midnight.Add(-47*time.Hour-50*time.Minute).Format(time.DateTime), 1, 15, mail),
		w.agencySite(72, w.site("xn--mnchen-3ya.example", ""), never, midnight.AddDate(0, 0, -40).Format(time.DateTime), 5, 5, ""),
		w.agencySite(73, w.site("alone.example", ""), never, "", 5, 5, ""),
	}, ",")+`],"total":3,"per_page":4}`)
	w.reads(t)
	for _, site := range []string{"999", "nothing.example", "shop.example:1", "shop.example::wp", "shop.example::wp-cron.php::x"} {
		for _, what := range []string{"status", "settings", "uptime", "incidents"} {
			w.ask(t, "no such site", http.MethodGet, site+"/jetpack-monitor-"+what, "", 404,
				fmt.Sprintf(`{"code":"unknown_blog","message":"site: no monitored site is \"%s\"","data":{"status":404}}`, site))
		}
	}
	w.ask(t, "another period", http.MethodGet, "71/jetpack-monitor-uptime?period=7%20days", "", 400,
		`{"code":"rest_invalid_param","message":"Invalid parameter(s): period","data":{"status":400,"params":{"period":"period: must be in list [30 days, 90 days]"}}}`)
}
