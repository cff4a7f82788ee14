package fakejetpack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	blogToken = "blogkey.blogsecret"
	userToken = "userkey.usersecret.3"
)

type site struct {
	t      *testing.T
	server *httptest.Server
}

func open(t *testing.T, o fakejetpack.Options) *site {
	t.Helper()
	s := &site{t, httptest.NewServer(fakejetpack.New(o))}
	t.Cleanup(s.server.Close)
	return s
}

func connected() fakejetpack.Options {
	return fakejetpack.Options{Tokens: signature.Keyring{Blog: blogToken, Users: map[int64]string{3: userToken}}}
}

func (s *site) send(method, url string, body []byte) (int, []byte, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.server.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, data, resp.Header
}

// call calls a method, signed when there is a token.
func (s *site) call(path, token, method string) (xmlrpc.Value, error) {
	s.t.Helper()
	body, err := xmlrpc.EncodeCall(method)
	if err != nil {
		s.t.Fatal(err)
	}
	url := s.server.URL + path
	if token != "" {
		c, err := signature.ParseCredential(token)
		if err != nil {
			s.t.Fatal(err)
		}
		if url, err = c.SignQuery(signature.Call{Method: "POST", URL: url, Body: body, Time: time.Now()}); err != nil {
			s.t.Fatal(err)
		}
	}
	_, data, _ := s.send("POST", url, body)
	return xmlrpc.DecodeAnswer(data)
}

func TestEachCallerIsOfferedItsOwnMethods(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options     fakejetpack.Options
		path, token string
		has, lacks  string
	}{
		"a stranger":                       {connected(), "/xmlrpc.php", "", "demo.sayHello", "jetpack.testConnection"},
		"a stranger for Jetpack":           {connected(), "/xmlrpc.php?for=jetpack", "", "jetpack.remoteAuthorize", "demo.sayHello"},
		"a stranger by the other door":     {connected(), "/?for=jetpack&jetpack=comms", "", "jetpack.remoteRegister", "jetpack.testConnection"},
		"the blog":                         {connected(), "/xmlrpc.php?for=jetpack", blogToken, "jetpack.testConnection", "jetpack.testAPIUserCode"},
		"a user":                           {connected(), "/xmlrpc.php?for=jetpack", userToken, "jetpack.testAPIUserCode", "jetpack.remoteAuthorize"},
		"a stranger without an owner":      {siteOnly(), "/xmlrpc.php?for=jetpack", "", "jetpack.verifyRegistration", "demo.sayHello"},
		"the blog without an owner":        {siteOnly(), "/xmlrpc.php?for=jetpack", blogToken, "jetpack.testConnection", "jetpack.testAPIUserCode"},
		"anybody where the query is lost":  {seen(fakejetpack.View{QueryLost: true}), "/xmlrpc.php?for=jetpack", blogToken, "demo.sayHello", "jetpack.testConnection"},
		"the blog where a proxy lies":      {seen(fakejetpack.View{Host: "backend"}), "/xmlrpc.php?for=jetpack", blogToken, "jetpack.remoteAuthorize", "jetpack.testConnection"},
		"anybody before there is a blog":   {fakejetpack.Options{}, "/xmlrpc.php?for=jetpack", "", "jetpack.verifyRegistration", "jetpack.testConnection"},
		"anybody where there is no plugin": {fakejetpack.Options{NoJetpack: true}, "/xmlrpc.php?for=jetpack", "", "demo.sayHello", "jetpack.remoteRegister"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, tt.options)
			v, err := s.call(tt.path, tt.token, "system.listMethods")
			names, ok := xmlrpc.Strings(v)
			if err != nil || !ok || !slices.Contains(names, tt.has) || slices.Contains(names, tt.lacks) || !slices.Contains(names, "system.multicall") {
				t.Errorf("%q, %v", names, err)
			}
			_, err = s.call(tt.path, tt.token, tt.lacks)
			if fault, ok := errors.AsType[*xmlrpc.Fault](err); !ok || fault.Code != xmlrpc.MethodUnknown {
				t.Errorf("%s: %v", tt.lacks, err)
			}
		})
	}
}

func TestAHealthySiteAnswersAsWordPressDoes(t *testing.T) {
	t.Parallel()
	s := open(t, connected())
	if status, body, h := s.send("GET", s.server.URL+"/xmlrpc.php", nil); status != 405 || string(body) != block.CoreText || h.Get("Allow") != "POST" {
		t.Errorf("GET: %d %q %v", status, body, h)
	}
	if v, err := s.call("/xmlrpc.php", "", "demo.sayHello"); err != nil || v != "Hello!" {
		t.Errorf("%v, %v", v, err)
	}
	_, body, _ := s.send("POST", s.server.URL+"/xmlrpc.php", []byte("no XML"))
	if _, err := xmlrpc.DecodeAnswer(body); err == nil || !strings.Contains(err.Error(), "-32700") {
		t.Errorf("no XML: %v", err)
	}
	if status, body, _ := s.send("GET", s.server.URL+"/wp-json/", nil); status != 200 || !json.Valid(body) || !bytes.Contains(body, []byte("jetpack/v4")) {
		t.Errorf("%d %s", status, body)
	}
	for path, want := range map[string]int{"/wp-json/jetpack/v4/sync/status": 401, "/wp-json/jetpack/v4/sync/health": 404, "/nothing": 404, "/": 200} {
		if status, _, _ := s.send("GET", s.server.URL+path, nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestObstaclesStandOnlyBeforeTheFile(t *testing.T) {
	t.Parallel()
	for _, o := range fakejetpack.Obstacles() {
		options := connected()
		options.Obstacle = o
		s := open(t, options)
		if status, _, _ := s.send("GET", s.server.URL+"/", nil); status != 200 {
			t.Errorf("%s: the home page is %d", o, status)
		}
		if v, err := s.call("/?for=jetpack&jetpack=comms", blogToken, "jetpack.testConnection"); err != nil || v != "success" {
			t.Errorf("%s: the other door: %v, %v", o, v, err)
		}
	}
}

func TestWordPressComTellsOnlyOfSitesItKnows(t *testing.T) {
	t.Parallel()
	s := &site{t, httptest.NewServer(&fakejetpack.WordPressCom{Sites: map[string]fakejetpack.Metadata{
		"a.example": {ID: 7, URL: "https://a.example", Jetpack: true, XMLRPC: "https://a.example/xmlrpc.php"}, "b.example": {Private: true},
	}})}
	t.Cleanup(s.server.Close)
	for host, want := range map[string]int{"a.example": 200, "b.example": 403, "c.example": 404} {
		if status, body, _ := s.send("GET", s.server.URL+"/rest/v1.1/sites/"+host, nil); status != want || !json.Valid(body) {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
}

func TestStatesAnswerAsWordPressDoesInThem(t *testing.T) {
	t.Parallel()
	for state, want := range map[fakejetpack.State]struct {
		home, door int
		says       string
		retry      bool
	}{
		fakejetpack.Maintenance:  {503, 200, "Briefly unavailable for scheduled maintenance", true},
		fakejetpack.DatabaseAway: {500, 200, "Error establishing a database connection", false},
		fakejetpack.Broken:       {500, 500, "critical error", false},
		fakejetpack.ComingSoon:   {503, 405, "Coming Soon", true},
	} {
		options := connected()
		options.State = state
		s := open(t, options)
		status, body, h := s.send("GET", s.server.URL+"/", nil)
		if status != want.home || !strings.Contains(string(body), want.says) || h.Get("Retry-After") != "" != want.retry {
			t.Errorf("%s: the home page is %d %s", state, status, body)
		}
		status, body, _ = s.send("GET", s.server.URL+"/xmlrpc.php", nil)
		if status != want.door || state != fakejetpack.ComingSoon && len(body) > 0 {
			t.Errorf("%s: xmlrpc.php is %d %q", state, status, body)
		}
	}
}

func TestWordPressIsWhereItsLayoutPutsIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options fakejetpack.Options
		want    map[string]int
	}{
		"its own directory": {fakejetpack.Options{Dir: "/blog", HomeAbove: true}, map[string]int{
			"/": 200, "/xmlrpc.php": 404, "/blog/xmlrpc.php": 405, "/wp-json/": 200, "/?rest_route=/": 200, "/blog/": 404, "/blog/wp-json/": 404,
		}},
		"wholly in a directory": {fakejetpack.Options{Dir: "/blog"}, map[string]int{
			"/": 200, "/xmlrpc.php": 404, "/blog/": 200, "/blog/xmlrpc.php": 405, "/blog/wp-json/": 200, "/wp-json/": 404,
		}},
		"plain permalinks": {fakejetpack.Options{PlainPermalinks: true}, map[string]int{"/": 200, "/wp-json/": 404, "/?rest_route=/": 200, "/index.php?rest_route=/": 200}},
		"a closed REST API": {fakejetpack.Options{RESTClosed: "rest_not_logged_in", RESTStatus: 401}, map[string]int{
			"/": 200, "/wp-json/": 401, "/wp-json/jetpack/v4/sync/status": 401,
		}},
	} {
		s := open(t, tt.options)
		for path, want := range tt.want {
			if status, body, _ := s.send("GET", s.server.URL+path, nil); status != want {
				t.Errorf("%s: %s is %d, want %d: %s", name, path, status, want, body)
			}
		}
	}
	own := open(t, fakejetpack.Options{Dir: "/blog", HomeAbove: true})
	_, body, _ := own.send("GET", own.server.URL+"/wp-json/?_fields=url,home", nil)
	if want := `{"url":"` + own.server.URL + `/blog","home":"` + own.server.URL + `"}`; strings.TrimSpace(string(body)) != want {
		t.Errorf("%s, want %s", body, want)
	}
}

func TestTheIndexIsLargeUnlessFieldsAreNamed(t *testing.T) {
	t.Parallel()
	s := open(t, connected())
	_, whole, _ := s.send("GET", s.server.URL+"/wp-json/", nil)
	_, part, _ := s.send("GET", s.server.URL+"/wp-json/?_fields=name,url,home,namespaces", nil)
	if len(whole) < 370_000 || len(part) > 400 || bytes.Contains(part, []byte("gmt_offset")) {
		t.Errorf("%d and %d bytes: %s", len(whole), len(part), part)
	}
}

func TestOnlyPagesAreRedirectedToTheHome(t *testing.T) {
	t.Parallel()
	options := connected()
	options.Home, options.Canonical = "http://127.0.0.1:1", true
	s := open(t, options)
	s.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]int{"/": 301, "/xmlrpc.php": 405, "/wp-json/": 200} {
		if status, _, _ := s.send("GET", s.server.URL+path, nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func TestTheDateOfXMLRPCIsPHPsUnlessAProxyStandsInFront(t *testing.T) {
	t.Parallel()
	options := connected()
	options.Now = func() time.Time { return time.Now().Add(time.Hour) }
	call, err := xmlrpc.EncodeCall("demo.sayHello")
	if err != nil {
		t.Fatal(err)
	}
	for _, proxy := range []bool{false, true} {
		options.ProxyDate = proxy
		s := open(t, options)
		_, _, h := s.send("POST", s.server.URL+"/xmlrpc.php", call)
		layout := time.RFC1123Z
		if proxy {
			layout = http.TimeFormat
		}
		date, err := time.Parse(layout, h.Get("Date"))
		if ahead := time.Until(date) > 50*time.Minute; err != nil || ahead == proxy {
			t.Errorf("with a proxy %v: Date %q, %v", proxy, h.Get("Date"), err)
		}
	}
}

func TestABodyIsReadBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	for obstacle, want := range map[fakejetpack.Obstacle]string{"": "rest_invalid_json", fakejetpack.BodyDropped: "rest_missing_callback_param"} {
		options := connected()
		options.Obstacle, options.Everywhere = obstacle, true
		s := open(t, options)
		if status, body, _ := s.send("POST", s.server.URL+"/wp-json/batch/v1", []byte("{")); status != 400 || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%q: %d %s", obstacle, status, body)
		}
	}
}
