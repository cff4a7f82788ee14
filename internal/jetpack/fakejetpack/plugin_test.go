package fakejetpack_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// siteOnly are the options of a site that is connected without an owner.
func siteOnly() fakejetpack.Options {
	return fakejetpack.Options{Tokens: signature.Keyring{Blog: blogToken}}
}

// seen are the options of a connected site behind a proxy.
func seen(v fakejetpack.View) fakejetpack.Options {
	o := connected()
	o.View = v
	return o
}

func TestTheConnectionIsTestedByTheVersion(t *testing.T) {
	t.Parallel()
	complete := connected()
	complete.Plugin.Version = "16.1.2"
	for want, o := range map[string]fakejetpack.Options{"success": connected(), "16.1.2": complete} {
		if v, err := open(t, o).call("/xmlrpc.php?for=jetpack", blogToken, "jetpack.testConnection"); err != nil || v != want {
			t.Errorf("%v, %v, want %s", v, err, want)
		}
	}
	if v, err := open(t, connected()).call("/xmlrpc.php?for=jetpack", userToken, "jetpack.testAPIUserCode"); err != nil || v != false {
		t.Errorf("%v, %v", v, err)
	}
}

func TestARefusedSignatureIsAMethodThatDoesNotExist(t *testing.T) {
	t.Parallel()
	with := func(edit func(*fakejetpack.Options)) fakejetpack.Options {
		o := connected()
		edit(&o)
		return o
	}
	for name, o := range map[string]fakejetpack.Options{
		"another secret":      with(func(o *fakejetpack.Options) { o.Tokens.Blog = "blogkey.other" }),
		"another key":         with(func(o *fakejetpack.Options) { o.Tokens.Blog = "other.blogsecret" }),
		"no token":            with(func(o *fakejetpack.Options) { o.Tokens.Blog = "" }),
		"a clock ahead":       with(func(o *fakejetpack.Options) { o.Now = func() time.Time { return time.Now().Add(time.Hour) } }),
		"a port in the Host":  with(func(o *fakejetpack.Options) { o.RawHost = true }),
		"another port":        with(func(o *fakejetpack.Options) { o.ServerPort = 8080 }),
		"another host":        seen(fakejetpack.View{Host: "www.example.com"}),
		"another scheme":      with(func(o *fakejetpack.Options) { o.View.HTTPS, o.ServerPort = true, 80 }),
		"another path":        seen(fakejetpack.View{From: "/", To: "//"}),
		"a further parameter": seen(fakejetpack.View{Added: "lang=en"}),
		"another body":        seen(fakejetpack.View{Body: func(b []byte) []byte { return append(b, '\n') }}),
	} {
		_, err := open(t, o).call("/xmlrpc.php?for=jetpack", blogToken, "jetpack.testConnection")
		fault, ok := errors.AsType[*xmlrpc.Fault](err)
		if !ok || fault.Code != xmlrpc.MethodUnknown || fault.Text != "server error. requested method jetpack.testConnection does not exist." {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// status asks for jetpack/v4/connection.
func (s *site) status(query string) (int, map[string]any) {
	s.t.Helper()
	code, body, _ := s.send("GET", s.server.URL+"/wp-json/jetpack/v4/connection"+query, nil)
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		s.t.Fatal(err)
	}
	return code, v
}

func TestAnybodyMayReadTheConnection(t *testing.T) {
	t.Parallel()
	plugin := func(p fakejetpack.Plugin) fakejetpack.Options {
		o := connected()
		o.Plugin = p
		return o
	}
	for name, tt := range map[string]struct {
		options fakejetpack.Options
		is      string // what is true, of those that are true or false
	}{
		"connected":        {connected(), "isActive isRegistered hasConnectedOwner isPublic"},
		"without an owner": {siteOnly(), "isRegistered isPublic"},
		"not connected":    {fakejetpack.Options{}, "isPublic"},
		"in safe mode":     {plugin(fakejetpack.Plugin{SafeMode: true}), "isActive isStaging isRegistered hasConnectedOwner isPublic"},
		"offline":          {plugin(fakejetpack.Plugin{Offline: fakejetpack.OfflineByFilter, NotPublic: true}), "isActive isRegistered hasConnectedOwner offlineMode.isActive offlineMode.filter"},
	} {
		code, v := open(t, tt.options).status("")
		offline, _ := v["offlineMode"].(map[string]any)
		for _, key := range []string{"isActive", "constant", "url", "filter", "wpLocalConstant"} {
			v["offlineMode."+key] = offline[key]
		}
		for _, key := range []string{"isActive", "isStaging", "isRegistered", "isUserConnected", "hasConnectedOwner", "isPublic",
			"offlineMode.isActive", "offlineMode.constant", "offlineMode.url", "offlineMode.filter", "offlineMode.wpLocalConstant"} {
			want := false
			for f := range strings.FieldsSeq(tt.is) {
				want = want || f == key
			}
			if on, ok := v[key].(bool); !ok || on != want {
				t.Errorf("%s: %s is %v", name, key, v[key])
			}
		}
		if code != http.StatusOK {
			t.Errorf("%s: %d", name, code)
		}
	}
}

func TestABadSignatureIsRefusedByRESTWhateverItAsksFor(t *testing.T) {
	t.Parallel()
	s := open(t, connected())
	for _, query := range []string{"?_for=jetpack&token=blogkey:1:0&signature=x", "?_for=jetpack&token=a"} {
		if code, v := s.status(query); code != http.StatusBadRequest || v["code"] != string(signature.RESTInvalidSignature) {
			t.Errorf("%s: %d %v", query, code, v)
		}
	}
	if code, _ := s.status("?token=a"); code != http.StatusOK {
		t.Errorf("without _for: %d", code)
	}
	lost := connected()
	lost.NoJetpack = true
	if code, v := open(t, lost).status("?_for=jetpack&token=a"); code != http.StatusNotFound || v["code"] != "rest_no_route" {
		t.Errorf("without the plugin: %d %v", code, v)
	}
}

func TestIndexPHPRepeatsTheQueryThatArrived(t *testing.T) {
	t.Parallel()
	o := seen(fakejetpack.View{Added: "lang=en"})
	o.Home = "http://example.com"
	s := open(t, o)
	s.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	status, _, h := s.send("GET", s.server.URL+"/index.php?jetmon=1", nil)
	if status != http.StatusMovedPermanently || h.Get("Location") != "http://example.com/?jetmon=1&lang=en" {
		t.Errorf("%d %v", status, h)
	}
}

func TestATokenThatIsAnArrayEndsPHP(t *testing.T) {
	t.Parallel()
	s := open(t, connected())
	for _, path := range []string{"/xmlrpc.php?for=jetpack&token[]=a&signature=x", "/wp-json/jetpack/v4/connection?_for=jetpack&token[]=a&signature=x"} {
		method := "POST"
		if strings.HasPrefix(path, "/wp-json") {
			method = "GET"
		}
		body := []byte(nil)
		if method == "POST" {
			body = []byte("<?xml version=\"1.0\"?><methodCall><methodName>demo.sayHello</methodName></methodCall>")
		}
		if status, text, _ := s.send(method, s.server.URL+path, body); status != http.StatusInternalServerError || len(text) > 0 {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
}
