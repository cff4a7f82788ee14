package jetpack_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// queue is a queue whose items have this age; out holds its lock.
func queue(t *testing.T, items int, age time.Duration, out bool) *syncqueue.Queue {
	t.Helper()
	at := time.Now().Add(-age)
	q := syncqueue.New(syncqueue.Options{Name: "sync", Now: func() time.Time { return at }})
	for range items {
		q.Add([]byte("x"))
	}
	at = time.Now()
	if out {
		if _, err := q.Checkout(1); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func sendError(age time.Duration, code, message string) []fakejetpack.SyncError {
	return []fakejetpack.SyncError{
		{Time: time.Now().Add(-age - time.Minute), Code: "first", Message: "one before"}, {Time: time.Now().Add(-age), Code: code, Message: message},
	}
}

func TestTheSitesOwnViewOfItsSynchronisationIsJudged(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	old := ago(5 * time.Hour)
	short, behind, full := queue(t, 5, time.Second, false), queue(t, 5, time.Hour, false), queue(t, 5001, 3*time.Hour, false)
	for name, tt := range map[string]struct {
		queue *syncqueue.Queue
		sync  fakejetpack.Sync
		check string
		want  jetpack.Verdict
		cause string
		// also are the causes beside it.
		also []string
	}{
		"a few items":                         {short, fakejetpack.Sync{}, "sync_queue", jetpack.Pass, "", nil},
		"a queue behind":                      {behind, fakejetpack.Sync{}, "sync_queue", jetpack.Warn, "sync_behind", nil},
		"a full queue":                        {full, fakejetpack.Sync{}, "sync_queue", jetpack.Fail, "sync_queue_full", nil},
		"a lock for a moment":                 {queue(t, 5, time.Second, true), fakejetpack.Sync{}, "sync_lock", jetpack.Pass, "", nil},
		"a lock while much is sent":           {queue(t, 5, 5*time.Minute, true), fakejetpack.Sync{LastSuccess: ago(20 * time.Second)}, "sync_lock", jetpack.Pass, "", nil},
		"a lock that stays":                   {queue(t, 5, 5*time.Minute, true), fakejetpack.Sync{LastSuccess: ago(9 * time.Minute)}, "sync_lock", jetpack.Warn, "sync_lock_held", nil},
		"a copy that differs":                 {nil, fakejetpack.Sync{Health: "out_of_sync"}, "sync_health", jetpack.Warn, "out_of_sync", nil},
		"a copy from before it was off":       {nil, fakejetpack.Sync{Health: "disabled"}, "sync_health", jetpack.Warn, "out_of_sync", nil},
		"a state nobody measured":             {nil, fakejetpack.Sync{Health: "unknown"}, "sync_health", jetpack.Skipped, "", nil},
		"switched off":                        {behind, fakejetpack.Sync{Off: true, Health: "disabled"}, "sync_allowed", jetpack.Fail, "sync_off", nil},
		"switched off for the network":        {nil, fakejetpack.Sync{NetworkOff: true}, "sync_allowed", jetpack.Fail, "sync_off_network", nil},
		"offline mode":                        {nil, fakejetpack.Sync{Offline: true}, "sync_allowed", jetpack.Fail, "offline_mode", nil},
		"an identity crisis":                  {nil, fakejetpack.Sync{SafeMode: true}, "sync_allowed", jetpack.Fail, "identity_crisis", nil},
		"an identity crisis of 11.5":          {nil, fakejetpack.Sync{SafeMode: true, Old: true}, "sync_allowed", jetpack.Fail, "identity_crisis", nil},
		"not allowed, and not why":            {nil, fakejetpack.Sync{Unexplained: true}, "sync_allowed", jetpack.Fail, "sync_not_allowed", nil},
		"a sender that is off":                {full, fakejetpack.Sync{SenderOff: true, LastSuccess: old}, "sync_allowed", jetpack.Fail, "sync_sender_off", nil},
		"a sender of full syncs that is off":  {nil, fakejetpack.Sync{FullSenderOff: true}, "sync_allowed", jetpack.Warn, "full_sync_sender_off", nil},
		"no sending by WP-Cron":               {nil, fakejetpack.Sync{CronOff: true}, "sync_allowed", jetpack.Warn, "sync_cron_off", nil},
		"no checksums":                        {nil, fakejetpack.Sync{ChecksumsOff: true}, "sync_allowed", jetpack.Warn, "sync_checksums_off", nil},
		"old errors":                          {nil, fakejetpack.Sync{Errors: sendError(time.Hour, "http_request_failed", "cURL error 28: timed out")}, "sync_sender", jetpack.Pass, "", nil},
		"no way out":                          {behind, fakejetpack.Sync{LastSuccess: old, Errors: sendError(time.Minute, "http_request_failed", "cURL error 28: Connection timed out after 20001 milliseconds")}, "sync_sender", jetpack.Warn, "outbound_blocked", nil},
		"HTTP that WordPress itself stops":    {nil, fakejetpack.Sync{LastSuccess: old, Errors: sendError(time.Minute, "http_request_not_executed", "User has blocked requests through HTTP.")}, "sync_sender", jetpack.Warn, "outbound_blocked", nil},
		"no name resolution":                  {nil, fakejetpack.Sync{LastSuccess: old, Errors: sendError(time.Minute, "http_request_failed", "cURL error 6: Could not resolve host: jetpack.wordpress.com")}, "sync_sender", jetpack.Warn, "outbound_dns", nil},
		"no trust in certificates":            {nil, fakejetpack.Sync{LastSuccess: old, Errors: sendError(time.Minute, "http_request_failed", "cURL error 60: SSL certificate problem: unable to get local issuer certificate")}, "sync_sender", jetpack.Warn, "outbound_tls", nil},
		"a refusal by WordPress.com":          {full, fakejetpack.Sync{LastSuccess: old, Errors: sendError(time.Minute, "jetpack_sync_send_error_unauthorized", "no")}, "sync_sender", jetpack.Warn, "sync_refused", nil},
		"a pause of a minute":                 {nil, fakejetpack.Sync{RetryAfter: ago(-time.Minute)}, "sync_sender", jetpack.Pass, "", nil},
		"a pause of a day":                    {behind, fakejetpack.Sync{RetryAfter: ago(-24 * time.Hour)}, "sync_sender", jetpack.Warn, "sync_retry_after", nil},
		"a sender that puts off its turn":     {short, fakejetpack.Sync{NextSync: ago(-40 * time.Minute)}, "sync_sender", jetpack.Warn, "sync_throttled", nil},
		"a sender that does not run":          {queue(t, 5, 4*time.Hour, false), fakejetpack.Sync{LastSuccess: old}, "sync_sender", jetpack.Warn, "sync_silent", nil},
		"dedicated sync that failed":          {nil, fakejetpack.Sync{DedicatedFailed: true}, "sync_sender", jetpack.Warn, "dedicated_sync_failed", nil},
		"dedicated sync":                      {nil, fakejetpack.Sync{Dedicated: true}, "sync_sender", jetpack.Pass, "", nil},
		"a full sync on its way":              {nil, fakejetpack.Sync{Full: fakejetpack.FullSync{Started: ago(10 * time.Hour), Total: 100, Sent: 40}}, "full_sync", jetpack.Pass, "", nil},
		"a full sync that is stuck":           {nil, fakejetpack.Sync{LastSuccess: old, Full: fakejetpack.FullSync{Started: ago(10 * time.Hour), Total: 100, Sent: 40}}, "full_sync", jetpack.Warn, "full_sync_stuck", nil},
		"a site that never had a full sync":   {nil, fakejetpack.Sync{Full: fakejetpack.FullSync{Never: true}}, "full_sync", jetpack.Pass, "", nil},
		"a task that is a little late":        {nil, fakejetpack.Sync{Overdue: 20 * time.Minute}, "wp_cron", jetpack.Pass, "", nil},
		"WP-Cron that nobody calls":           {queue(t, 5, 4*time.Hour, false), fakejetpack.Sync{Overdue: 7 * time.Hour, LastSuccess: old}, "wp_cron", jetpack.Warn, "cron_stopped", nil},
		"a late task and a queue behind":      {behind, fakejetpack.Sync{Overdue: 20 * time.Minute}, "wp_cron", jetpack.Warn, "cron_stopped", nil},
		"no task at all":                      {nil, fakejetpack.Sync{NoCron: true}, "wp_cron", jetpack.Warn, "cron_empty", nil},
		"two faults":                          {behind, fakejetpack.Sync{Off: true, NoCron: true}, "sync_allowed", jetpack.Fail, "sync_off", []string{"cron_empty"}},
		"a healthy site with Jetpack 11.5":    {short, fakejetpack.Sync{Old: true}, "sync_sender", jetpack.Pass, "", nil},
		"a healthy queue while a lock lapsed": {nil, fakejetpack.Sync{}, "sync_lock", jetpack.Pass, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := connected()
			o.Queue, o.Sync = tt.queue, tt.sync
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
			expect(t, r, tt.check, tt.want, tt.cause)
			var names []string
			for _, c := range r.Causes {
				names = append(names, c.Name)
			}
			want := tt.also
			if tt.cause != "" {
				want = append([]string{tt.cause}, tt.also...)
			}
			if !slices.Equal(names, want) {
				t.Errorf("causes are %q, want %q:\n%s", names, want, table(r))
			}
			if tt.cause == "sync_lock_held" && !strings.Contains(r.Find("sync_lock").Means, "The buffer you checked in was not checked out") {
				t.Error("the founding message is not explained")
			}
		})
	}
}

func TestARefusedStateIsExplained(t *testing.T) {
	t.Parallel()
	healthy := fakejetpack.New(connected())
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/sync/status") {
				healthy.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	lost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/sync/") {
			r.RequestURI, _, _ = strings.Cut(r.RequestURI, "?")
			r.URL.RawQuery = ""
		}
		healthy.ServeHTTP(w, r)
	})
	for name, tt := range map[string]struct {
		site  http.Handler
		cause string
	}{
		"a query that is lost":          {lost, "sync_unsigned"},
		"a plugin that closes REST":     {answer(401, `{"code":"rest_not_logged_in","message":"You are not currently logged in."}`), "sync_unreadable"},
		"a page":                        {answer(200, "<html>hello</html>"), "sync_unreadable"},
		"JSON of something else":        {answer(200, `{"ok":true}`), "sync_unreadable"},
		"an answer cut short":           {answer(200, `{"queue_size":1,`), "sync_unreadable"},
		"a list in place of an object":  {answer(200, `[]`), "sync_unreadable"},
		"numbers that are none":         {answer(200, `{"queue_size":{},"queue_lag":[],"next_cron":"soon","cron_size":null}`), ""},
		"debug details that are a list": {answer(200, `{"queue_size":"1","queue_lag":"0.5","debug_details":[]}`), "sync_unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose(t, newWorld(t, tt.site), nil)
			if tt.cause == "" {
				expect(t, r, "sync_allowed", jetpack.Skipped, "")
				expect(t, r, "sync_queue", jetpack.Skipped, "")
				return
			}
			expect(t, r, "sync_allowed", jetpack.Fail, tt.cause)
			expect(t, r, "sync_queue", jetpack.Skipped, "")
		})
	}
	t.Run("a signature that is refused", func(t *testing.T) {
		t.Parallel()
		o := connected()
		o.Tokens.Blog = "blogkey.othersecret"
		site := fakejetpack.New(o)
		r := diagnose(t, newWorld(t, site), nil)
		expect(t, r, "sync_allowed", jetpack.Skipped, "") // signed_by_blog has the cause
		r = diagnose(t, newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			site.ServeHTTP(w, r)
		})), nil)
		expect(t, r, "sync_allowed", jetpack.Fail, "rest_signature_refused")
	})
	t.Run("a warning of PHP around the JSON", func(t *testing.T) {
		t.Parallel()
		r := diagnose(t, newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/wp-json/") {
				_, _ = io.WriteString(w, "<br />\n<b>Warning</b>: x in /y.php\n")
			}
			healthy.ServeHTTP(w, r)
		})), nil)
		expect(t, r, "sync_allowed", jetpack.Pass, "")
		expect(t, r, "modules", jetpack.Pass, "")
	})
	t.Run("a log of errors with whole pages in it", func(t *testing.T) {
		t.Parallel()
		o := connected()
		o.Sync.Errors = sendError(0, "x", strings.Repeat("<p>page</p>", 100_000))
		r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
		expect(t, r, "sync_queue", jetpack.Pass, "")
	})
}

func TestNothingOnTheSiteIsChangedByAsking(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	var mu sync.Mutex
	var asked []string
	r := diagnose(t, newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		if strings.Contains(r.URL.Path, "/sync/") && r.URL.Query().Get("jetpack_sync_read_only") != "1" {
			t.Errorf("%s may make the site send", r.URL.Path)
		}
		mu.Unlock()
		site.ServeHTTP(w, r)
	})), nil)
	expect(t, r, "sync_allowed", jetpack.Pass, "")
	mu.Lock()
	defer mu.Unlock()
	for _, a := range asked {
		method, path, _ := strings.Cut(a, " ")
		if strings.HasPrefix(path, "/wp-json/") && method != http.MethodGet {
			t.Errorf("%s is not a reading request", a)
		}
		// These change the site, even by GET: the heartbeat empties a record of errors, site
		// stores the plan, and spawn-sync sends.
		for _, never := range []string{"/heartbeat/", "/jetpack/v4/site", "/spawn-sync", "/sync/health", "/url-secret"} {
			if strings.Contains(path, never) {
				t.Errorf("%s is asked", a)
			}
		}
	}
}

func TestModulesAreReadByAUserWhoMay(t *testing.T) {
	t.Parallel()
	r := diagnose(t, newWorld(t, fakejetpack.New(connected())), nil)
	expect(t, r, "modules", jetpack.Pass, "")
	if seen := r.Find("modules").Seen; seen != "active: monitor, protect, stats; not active: seo-tools, videopress" {
		t.Error(seen)
	}
	o := connected()
	o.Visitors = []int64{3}
	expect(t, diagnose(t, newWorld(t, fakejetpack.New(o)), nil), "modules", jetpack.Skipped, "")
	r = diagnose(t, newWorld(t, fakejetpack.New(connected())), func(_ *jetpack.Options, target *jetpack.Target) {
		*target = jetpack.Target{URL: target.URL, Blog: target.Blog}
	})
	expect(t, r, "modules", jetpack.Skipped, "")
}
