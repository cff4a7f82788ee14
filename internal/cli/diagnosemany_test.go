package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

func TestSitesAreReadFromListsTablesAndJSON(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text, file string
		want       string
		refused    int
		says       string
	}{
		"a list":                     {"http://a.example/\nhttps://b.example/x,y\n", "-", "http://a.example/ https://b.example/x,y", 0, ""},
		"comments and blank lines":   {"\ufeff# mine\r\n\r\n  http://a.example/  \r\n#http://b.example/\r\n", "sites", "http://a.example/", 0, ""},
		"one twice":                  {"http://a.example/\nhttp://a.example/\n", "-", "http://a.example/", 0, ""},
		"no line end":                {"http://a.example/", "-", "http://a.example/", 0, ""},
		"lines that are no address":  {"http://a.example/\nftp://b.example/\nb.example\n", "-", "http://a.example/", 2, "line 2: "},
		"names only":                 {"a.example\n", "-", "", 1, "line 1: "},
		"nothing":                    {"", "-", "", 0, ""},
		"comments only":              {"# none\n", "-", "", 0, ""},
		"CSV":                        {"blog_id,url\n3,http://a.example/\n4,http://b.example/\n", "-", "http://a.example/ http://b.example/", 0, ""},
		"CSV of one column":          {"url\nhttp://a.example/\n", "-", "http://a.example/", 0, ""},
		"CSV with a row that is bad": {"url,blog_id\nhttp://a.example/,x\nhttp://b.example/,3\n", "-", "http://b.example/", 1, "line 2: "},
		"NDJSON":                     {`{"url":"http://a.example/"}` + "\n" + `{"url":"http://b.example/"}` + "\n", "-", "http://a.example/ http://b.example/", 0, ""},
		"many lines that are none":   {strings.Repeat("nonsense\n", 30), "-", "", 30, "and 10 lines more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var remarks bytes.Buffer
			c, err := ReadTargets(strings.NewReader(tt.text), tt.file, &remarks)
			if err != nil || strings.Join(c.URLs, " ") != tt.want || c.Refused != tt.refused || !strings.Contains(remarks.String(), tt.says) {
				t.Errorf("%q, %d refused, %v, remarks:\n%s", c.URLs, c.Refused, err, &remarks)
			}
		})
	}
	if _, err := ReadTargets(strings.NewReader("http://a.example/"+strings.Repeat("x", 20<<10)), "-", &bytes.Buffer{}); err == nil {
		t.Error("a line without end is read")
	}
	if _, err := ReadTargets(strings.NewReader("PK\x03\x04 a workbook"), "x", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "CSV") {
		t.Errorf("a workbook: %v", err)
	}
}

// busyHost counts how many requests a site has at once.
type busyHost struct {
	http.Handler
	mu        sync.Mutex
	now, most int
}

func (b *busyHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.now++
	b.most = max(b.most, b.now)
	b.mu.Unlock()
	b.Handler.ServeHTTP(w, r)
	b.mu.Lock()
	b.now--
	b.mu.Unlock()
}

// serveAt starts a site at an address of loopback, and returns its URL.
func serveAt(t *testing.T, addr string, h http.Handler) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// kindsOfSites are how many of 400 sites have which fault.
func kindsOfSites() map[string]struct {
	count int
	site  fakejetpack.Options
} {
	connected := fakejetpack.Options{Tokens: signature.Keyring{Blog: "blogkey.bl0gs3cret", Users: map[int64]string{3: "userkey.us3rs3cret.3"}}}
	with := func(o fakejetpack.Obstacle) fakejetpack.Options {
		site := connected
		site.Obstacle, site.Everywhere = o, true
		return site
	}
	return map[string]struct {
		count int
		site  fakejetpack.Options
	}{
		"well": {150, connected}, "Sucuri": {130, with(fakejetpack.Sucuri)}, "basic auth": {50, with(fakejetpack.BasicAuth)},
		"fatal error": {40, with(fakejetpack.FatalError)}, "no Jetpack": {30, fakejetpack.Options{NoJetpack: true}},
	}
}

func TestFourHundredSitesAreSummedUpByTheirCauses(t *testing.T) {
	t.Parallel()
	d := diagnoser(t)
	var hosts []*busyHost
	var crowd Crowd
	want := map[string]int{} // sites by their first cause
	at := 0
	for kind, k := range kindsOfSites() {
		for i := range k.count {
			host := &busyHost{Handler: fakejetpack.New(k.site)}
			hosts = append(hosts, host)
			at++
			url := serveAt(t, fmt.Sprintf("127.44.%d.%d", at/200, at%200+1), host)
			crowd.URLs = append(crowd.URLs, url)
			if i > 0 {
				continue
			}
			// What one alone has, all of its kind have.
			r, err := d.Diagnose(t.Context(), jetpack.Target{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if name := firstCause(r); (name == "") != (kind == "well") {
				t.Fatalf("%s: %q", kind, name)
			}
			want[firstCause(r)] = k.count
		}
	}
	crowd.URLs = append(crowd.URLs, crowd.URLs[0]+"again", crowd.URLs[1]+"again", crowd.URLs[2]+"again") // the same hosts
	crowd.Parallel = 32
	var lines bytes.Buffer
	worst, err := DiagnoseMany(t.Context(), d, crowd, Report{Out: &lines, JSON: true})
	if err != nil || worst != jetpack.Fail {
		t.Fatalf("%q, %v", worst, err)
	}
	got, given := map[string]int{}, map[string]bool{}
	for line := range bytes.Lines(lines.Bytes()) {
		var m monitorv1.Diagnosis
		if err := protojson.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		given[m.GetGivenUrl()] = true
		if !strings.HasSuffix(m.GetGivenUrl(), "again") {
			got[m.GetCause()]++
		}
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d sites have %q first, want %d", got[name], name, n)
		}
	}
	if len(given) != 403 || len(got) != len(want) {
		t.Errorf("%d sites, causes %v, want %v", len(given), got, want)
	}
	for _, h := range hosts {
		if h.most > 1 {
			t.Fatalf("a host has %d requests at once", h.most)
		}
	}
}

func firstCause(r *jetpack.Report) string {
	if len(r.Causes) == 0 {
		return ""
	}
	return r.Causes[0].Name
}

func TestTheTableOfManySitesNamesTheirMostFrequentCause(t *testing.T) {
	t.Parallel()
	d := diagnoser(t)
	c := Crowd{Parallel: 4}
	for i := range 6 {
		o := fakejetpack.Options{Tokens: signature.Keyring{Blog: "blogkey.bl0gs3cret", Users: map[int64]string{3: "userkey.us3rs3cret.3"}}}
		if i > 0 {
			o.Obstacle = fakejetpack.Deleted
		}
		c.URLs = append(c.URLs, serveAt(t, fmt.Sprintf("127.45.0.%d", i+1), fakejetpack.New(o)))
	}
	var out bytes.Buffer
	if worst, err := DiagnoseMany(t.Context(), d, c, Report{Out: &out}); err != nil || worst != jetpack.Fail {
		t.Fatalf("%q, %v", worst, err)
	}
	if !strings.HasPrefix(out.String(), "6 sites: 1 well, 0 with warnings, 5 with failures\n") || !strings.Contains(out.String(), "\nIt is one cause: missing, on all 5 sites that fail.\n") || !strings.Contains(out.String(), c.URLs[1]) {
		t.Errorf("got:\n%s", &out)
	}
}

func TestWhoInterruptsManySitesSeesWhatIsKnown(t *testing.T) {
	t.Parallel()
	d := diagnoser(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel() // the first one has long been known
		<-r.Context().Done()
	})
	c := Crowd{Parallel: 1, URLs: []string{
		serveAt(t, "127.46.0.1", fakejetpack.New(fakejetpack.Options{Obstacle: fakejetpack.Deleted})),
		serveAt(t, "127.46.0.2", silent), serveAt(t, "127.46.0.3", silent),
	}}
	start := time.Now()
	var out bytes.Buffer
	worst, err := DiagnoseMany(ctx, d, c, Report{Out: &out})
	if _, ok := errors.AsType[Interrupted](err); !ok || worst != jetpack.Fail || !strings.Contains(err.Error(), "1 of 3 sites") {
		t.Errorf("%q, %v", worst, err)
	}
	if !strings.HasPrefix(out.String(), "1 site: 0 well, 0 with warnings, 1 with failures, 2 not diagnosed\n") || time.Since(start) > 20*time.Second {
		t.Errorf("after %v:\n%s", time.Since(start), &out)
	}
}

// brokenPipe takes one line.
type brokenPipe struct{ lines int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.lines++; b.lines > 1 {
		return 0, errors.New("nobody reads")
	}
	return len(p), nil
}

func TestManySitesEndWhenNobodyReads(t *testing.T) {
	t.Parallel()
	d := diagnoser(t)
	c := Crowd{Parallel: 2}
	var mu sync.Mutex
	called := map[string]bool{}
	for i := range 30 {
		site := fakejetpack.New(fakejetpack.Options{})
		c.URLs = append(c.URLs, serveAt(t, fmt.Sprintf("127.47.0.%d", i+1), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			called[r.Host] = true
			mu.Unlock()
			site.ServeHTTP(w, r)
		})))
	}
	if _, err := DiagnoseMany(t.Context(), d, c, Report{Out: &brokenPipe{}, JSON: true}); err == nil || err.Error() != "nobody reads" {
		t.Errorf("%v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(called) > 10 {
		t.Errorf("%d sites are called for nobody", len(called))
	}
}

func TestTheHostsOfManySitesAreInTheirOrder(t *testing.T) {
	t.Parallel()
	got := byHost([]string{"http://a.example/", "http://b.example/", "https://A.example:8443/x"})
	if len(got) != 2 || !slices.Equal(got[0], []string{"http://a.example/", "https://A.example:8443/x"}) {
		t.Errorf("%q", got)
	}
}
