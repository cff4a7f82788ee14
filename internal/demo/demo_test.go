package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a demo on free ports until the test ends.
func start(t *testing.T, o demo.Options) (*demo.Demo, *http.Client) {
	t.Helper()
	o.Sites, o.Inbox = listen(t), listen(t)
	d, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	tr := &http.Transport{}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d, &http.Client{Transport: tr}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// call sends a request and returns status, header and body.
func call(t *testing.T, c *http.Client, method, url, key string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// data makes the data parameter of a notification.
func data(site string, status int) string {
	return "data=" + url.QueryEscape(fmt.Sprintf(`{"blog_id":9,"monitor_url":%q,"status_id":%d,`+
		`"last_check":"2026-05-13T00:00:00.000Z","last_status_change":null,`+
		`"checks":[{"type":1,"host":"c1","status":0,"rtt":12,"code":0,"error_code":995},{"type":2,"host":"eu","status":1,"rtt":3,"code":200}],`+
		`"token":"s3cret"}`, site, status))
}

func TestInboxTakesListsAndCountsRepeats(t *testing.T) {
	t.Parallel()
	d, c := start(t, demo.Options{})
	for _, key := range []string{"k1", "k2", "k1", "k1"} {
		status, _, body := call(t, c, "GET", d.InboxURL()+"jetmon/?v=1&"+data("https://a.example/?x=1&y", 2), key)
		if status != 200 || body != `{"success":true}` {
			t.Fatalf("answer is %d %s", status, body)
		}
	}
	status, _, body := call(t, c, "GET", d.InboxURL()+"inbox", "")
	var got []map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if len(got) != 2 || got[0]["key"] != "k1" || got[0]["repeats"] != 2.0 || got[1]["key"] != "k2" || got[1]["repeats"] != 0.0 {
		t.Errorf("inbox is %s", body)
	}
	notification, _ := got[0]["notice"].(map[string]any)
	if notification["monitor_url"] != "https://a.example/?x=1&y" || notification["status_id"] != 2.0 || notification["last_check"] != "2026-05-13T00:00:00.000Z" || notification["last_status_change"] != nil {
		t.Errorf("notification is %v", notification)
	}
	if checks, _ := notification["checks"].([]any); len(checks) != 2 {
		t.Errorf("checks are %v", notification["checks"])
	}
	if strings.Contains(body, "s3cret") || strings.Contains(body, "token") {
		t.Error("the token is kept")
	}
	if n := d.Inbox().Refused(); n != 0 {
		t.Errorf("%d refused", n)
	}
}

func TestInboxIsEmptyArrayAtFirst(t *testing.T) {
	t.Parallel()
	d, c := start(t, demo.Options{})
	if _, _, body := call(t, c, "GET", d.InboxURL()+"inbox", ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("inbox is %s", body)
	}
}

func TestInboxKeepsTheLastThousand(t *testing.T) {
	t.Parallel()
	b := demo.NewInbox()
	send := func(key string) {
		r, err := http.NewRequest("GET", "/?"+data("https://a.example/", 0), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", key)
		b.ServeHTTP(discard{}, r)
	}
	for i := range 1005 {
		send(fmt.Sprint(i))
	}
	send("1004")
	send("0") // Forgotten by now, so it is new.
	list := b.Notifications()
	if len(list) != 1000 || list[0].Key != "6" || list[998].Key != "1004" || list[998].Repeats != 1 || list[999].Key != "0" {
		t.Errorf("%d kept, from %s to %s", len(list), list[0].Key, list[len(list)-1].Key)
	}
}

// discard is a ResponseWriter that drops everything.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func TestInboxRefusesWhatIsNotV1s(t *testing.T) {
	t.Parallel()
	d, c := start(t, demo.Options{})
	good, err := url.QueryUnescape(strings.TrimPrefix(data("https://a.example/", 0), "data="))
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return "data=" + url.QueryEscape(strings.Replace(good, old, with, 1))
	}
	for name, tt := range map[string]struct{ query, want string }{
		"JSON as it is, cut at the ampersand": {`data={"blog_id":9,"monitor_url":"https://a.example/?x=1&y=2"}`, "not a notification"},
		"no JSON":                             {"data=x", "not a notification"},
		"empty":                               {"data=", "not a notification"},
		"twice":                               {data("https://a.example/", 0) + "&" + data("https://a.example/", 0), "more than once"},
		"two objects":                         {"data=" + url.QueryEscape(good+good), "more than one notification"},
		"unknown key":                         {swap(`"blog_id"`, `"blogid"`), "not a notification"},
		"wrong type":                          {swap(`"blog_id":9`, `"blog_id":"9"`), "not a notification"},
		"no token":                            {swap(`,"token":"s3cret"`, ``), "token is missing"},
		"no URL":                              {swap(`https://a.example/`, ``), "monitor_url"},
		"status 3":                            {swap(`"status_id":0`, `"status_id":3`), "status_id"},
		"time without millis":                 {swap(`00.000Z`, `00Z`), "last_check"},
		"time with a zone":                    {swap(`00.000Z`, `00.000+02:00`), "last_check"},
		"check of no type":                    {swap(`"type":1`, `"type":0`), "type"},
		"longer than possible":                {swap(`https://a.example/`, "https://"+strings.Repeat("a", 20000)), "too long"},
	} {
		status, _, body := call(t, c, "GET", d.InboxURL()+"?"+strings.ReplaceAll(tt.query, `"`, "%22"), "k")
		var answer struct {
			Success bool
			Data    string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Errorf("%s: answer %q: %v", name, body, err)
		}
		if status != 400 || answer.Success || !strings.Contains(answer.Data, tt.want) {
			t.Errorf("%s: answer is %d %s, want 400 with %q", name, status, body, tt.want)
		}
	}
	if n := len(d.Inbox().Notifications()); n != 0 {
		t.Errorf("%d were kept", n)
	}
	if status, _, _ := call(t, c, "POST", d.InboxURL()+"?"+data("https://a.example/", 0), "k"); status != 405 {
		t.Errorf("POST is answered with %d", status)
	}
	if status, _, _ := call(t, c, "GET", d.InboxURL()+"nothing", ""); status != 404 {
		t.Errorf("an unknown path is answered with %d", status)
	}
}

func TestInboxPlaysSick(t *testing.T) {
	t.Parallel()
	d, c := start(t, demo.Options{})
	b, u := d.Inbox(), d.InboxURL()+"?"+data("https://a.example/", 0)
	b.FailNext(2)
	for i, want := range []int{503, 503, 200} {
		if status, _, _ := call(t, c, "GET", u, "k"); status != want {
			t.Errorf("request %d is answered with %d, want %d", i, status, want)
		}
	}
	b.SetAnswer(500, `{"success":true}`)
	if status, _, body := call(t, c, "GET", u, "other"); status != 500 || body != `{"success":true}` {
		t.Errorf("answer is %d %s", status, body)
	}
	b.SetAnswer(0, "")
	if list := b.Notifications(); len(list) != 1 || list[0].Repeats != 0 || b.Refused() != 3 {
		t.Errorf("kept %+v, refused %d", list, b.Refused())
	}
	c.CloseIdleConnections() // On a fresh connection net/http does not repeat by itself.
	b.LoseNext(1)
	req, err := http.NewRequestWithContext(t.Context(), "GET", u, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "lost")
	if resp, err := c.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("a lost answer arrived: %d", resp.StatusCode)
	}
	call(t, c, "GET", u, "lost")
	if list := b.Notifications(); len(list) != 2 || list[1].Repeats != 1 {
		t.Errorf("kept %+v", list)
	}
}

func TestPageEscapesWhatSitesAreCalled(t *testing.T) {
	t.Parallel()
	d, c := start(t, demo.Options{})
	call(t, c, "GET", d.InboxURL()+"?"+data("https://a.example/<script>alert(1)</script>", 0), "<b>key</b>")
	status, h, body := call(t, c, "GET", d.InboxURL(), "")
	if status != 200 || strings.Contains(body, "<script>") || strings.Contains(body, "<b>") {
		t.Errorf("page is %d %s", status, body)
	}
	for _, want := range []string{"&lt;script&gt;", "0 down", `http-equiv="refresh"`, "checker c1: offline, code 0, error 995, 12 ms", "veriflier eu: online, code 200, 3 ms"} {
		if !strings.Contains(body, want) {
			t.Errorf("page has no %s", want)
		}
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("page may load from elsewhere")
	}
	for _, outside := range []string{"src=", "//cdn", "<link", "@import"} {
		if strings.Contains(body, outside) {
			t.Errorf("page has %s", outside)
		}
	}
}

func TestWaitSeesEachChangeAndEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := demo.NewInbox()
		ended := make(chan error, 1)
		go func() {
			ended <- b.Wait(t.Context(), func(l []demo.Received) bool { return len(l) == 1 && l[0].Repeats == 1 })
		}()
		for range 2 {
			synctest.Wait()
			select {
			case err := <-ended:
				t.Fatalf("Wait ended too early: %v", err)
			default:
			}
			r, err := http.NewRequest("GET", "/?"+data("https://a.example/", 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Idempotency-Key", "k")
			b.ServeHTTP(discard{}, r)
		}
		if err := <-ended; err != nil {
			t.Errorf("Wait: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Wait(ctx, func([]demo.Received) bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestSitesAnswerAsTheyAreCalled(t *testing.T) {
	t.Parallel()
	now := make(chan time.Time, 1)
	now <- time.Unix(1000, 0)
	clock := func() time.Time { n := <-now; now <- n; return n }
	d, c := start(t, demo.Options{Up: 30 * time.Second, Down: 10 * time.Second, Now: clock})
	urls := d.URLs()
	if len(urls) != 3 {
		t.Fatalf("URLs are %v", urls)
	}
	healthy, flapping, blocked := urls[0], urls[1], urls[2]
	for _, tt := range []struct {
		after                                  time.Duration
		wantHealthy, wantFlapping, wantBlocked int
	}{
		{0, 200, 200, 403},
		{29 * time.Second, 200, 200, 403},
		{30 * time.Second, 200, 503, 403},
		{39 * time.Second, 200, 503, 403},
		{40 * time.Second, 200, 200, 403},
		{400*time.Second + 30*time.Second, 200, 503, 403},
	} {
		<-now
		now <- time.Unix(1000, 0).Add(tt.after)
		for u, want := range map[string]int{healthy: tt.wantHealthy, flapping: tt.wantFlapping, blocked: tt.wantBlocked} {
			for _, method := range []string{"GET", "HEAD"} {
				status, _, body := call(t, c, method, u, "")
				if status != want {
					t.Errorf("after %v %s %s answers %d, want %d", tt.after, method, u, status, want)
				}
				if (method == "HEAD") != (body == "") {
					t.Errorf("%s %s has a body of %d bytes", method, u, len(body))
				}
			}
		}
	}
	_, h, body := call(t, c, "GET", blocked, "")
	if h.Get("Cf-Ray") == "" || h.Get("Cf-Mitigated") != "challenge" || h.Get("Server") != "cloudflare" || !strings.Contains(body, "blocked") {
		t.Errorf("the firewall's page does not look like one: %v %s", h, body)
	}
	index := strings.TrimSuffix(healthy, "healthy")
	if status, _, body := call(t, c, "GET", index, ""); status != 200 || !strings.Contains(body, "for 10s more") {
		t.Errorf("index is %d %s", status, body)
	}
	if status, _, _ := call(t, c, "GET", index+"none", ""); status != 404 {
		t.Errorf("an unknown path is answered with %d", status)
	}
}

func TestWhatIsNotServedHasNoURL(t *testing.T) {
	t.Parallel()
	d, err := demo.New(demo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.URLs() != nil || d.InboxURL() != "" {
		t.Errorf("URLs %v and %q", d.URLs(), d.InboxURL())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := demo.New(demo.Options{Up: -1}); err == nil {
		t.Error("a negative time is no error")
	}
}

func TestRunSaysWhichListenerFailed(t *testing.T) {
	t.Parallel()
	l := listen(t)
	l.Close()
	other := listen(t)
	d, err := demo.New(demo.Options{Sites: l, Inbox: other})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "sites") || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", other.Addr().String()); err == nil {
		t.Error("the other listener is still open")
	}
}

func FuzzInboxAnswersEverything(f *testing.F) {
	f.Add(data("https://a.example/", 0), "k")
	f.Add("data=%7B%7D&data=", "")
	f.Fuzz(func(t *testing.T, query, key string) {
		b := demo.NewInbox()
		w := recorder{header: http.Header{}}
		b.ServeHTTP(&w, &http.Request{Method: "GET", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{"Idempotency-Key": {key}}})
		kept := len(b.Notifications()) == 1
		if kept != (w.status == 200 && w.body.String() == `{"success":true}`) {
			t.Errorf("answer %d %s, kept is %t", w.status, &w.body, kept)
		}
	})
}

// recorder keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(s int)           { r.status = s }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
