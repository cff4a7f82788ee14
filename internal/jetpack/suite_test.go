package jetpack_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	blogToken = "blogkey.bl0gs3cret"
	userToken = "userkey.us3rs3cret.3"
)

// secrets are the texts that no report may contain.
func secrets() []string { return []string{"bl0gs3cret", "us3rs3cret"} }

func credential(t testing.TB, stored string) signature.Credential {
	t.Helper()
	c, err := signature.ParseCredential(stored)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connected are the options of a healthy site that is connected.
func connected() fakejetpack.Options {
	return fakejetpack.Options{Tokens: signature.Keyring{Blog: blogToken, Users: map[int64]string{3: userToken}}}
}

// serve starts a handler and returns its URL, which ends in a slash.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// world is a site and WordPress.com's metadata about it.
type world struct {
	site string
	com  *fakejetpack.WordPressCom
	api  string
}

func newWorld(t testing.TB, site http.Handler) *world {
	t.Helper()
	w := &world{site: serve(t, site), com: &fakejetpack.WordPressCom{Sites: map[string]fakejetpack.Metadata{}}}
	w.know(fakejetpack.Metadata{ID: 7, URL: strings.TrimSuffix(w.site, "/"), Jetpack: true, XMLRPC: w.site + "xmlrpc.php"})
	w.api = serve(t, w.com)
	return w
}

// rename reaches the site by another name, which leads to the same address.
func (w *world) rename(name string) {
	w.site = strings.Replace(w.site, "127.0.0.1", name, 1)
	known := w.com.Sites["127.0.0.1"]
	known.URL, known.XMLRPC = strings.TrimSuffix(w.site, "/"), w.site+"xmlrpc.php"
	w.com.Sites[name] = known
}

func (w *world) know(m fakejetpack.Metadata) { w.com.Sites["127.0.0.1"] = m }

func newProber(t testing.TB) *probe.Prober {
	t.Helper()
	p, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func diagnose(t testing.TB, w *world, edit func(*jetpack.Options, *jetpack.Target)) *jetpack.Report {
	t.Helper()
	o := jetpack.Options{Prober: newProber(t), MetadataURL: w.api, StepTimeout: 5 * time.Second, Pause: time.Millisecond}
	target := jetpack.Target{URL: w.site, Blog: credential(t, blogToken), User: credential(t, userToken)}
	if edit != nil {
		edit(&o, &target)
	}
	d, err := jetpack.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Diagnose(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// table shows a report.
func table(r *jetpack.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.Verdict) + " " + f.Check + " [" + f.Cause + "] " + f.Seen + " | " + f.Means + " | " + f.Do + "\n")
	}
	return b.String() + r.Conclusion
}

// expect fails the test unless a step has this verdict and cause.
func expect(t testing.TB, r *jetpack.Report, check string, verdict jetpack.Verdict, cause string) {
	t.Helper()
	f := r.Find(check)
	if f == nil || f.Verdict != verdict || f.Cause != cause {
		t.Errorf("%s is %+v, want %s %s; all:\n%s", check, f, verdict, cause, table(r))
	}
}
