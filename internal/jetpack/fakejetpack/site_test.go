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
		"a user":                           {connected(), "/xmlrpc.php?for=jetpack", userToken, "jetpack.testAPIUserCode", "demo.sayHello"},
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
