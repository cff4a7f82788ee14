package wordpress

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// recorded are the versions whose record the fake site follows.
const recorded = "wordpress-6.1.9-jetpack-protect-3.2.0-alpha"

// kept reads a record: the answer to each question, by heading.
func kept(t testing.TB, part string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", recorded+"-"+part+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	heading := ""
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case i == 0 || line == "":
		case line[0] != ' ':
			heading = line
			all[heading] = map[string]string{}
		default:
			name := strings.TrimSpace(line[:31])
			all[heading][name] = line[31:]
		}
	}
	return all
}

// fake starts a fake site that is like the real ones in the record, and returns its URL. It
// sees itself on port 80, as a site behind a proxy that says so.
func fake(t testing.TB, change func(*fakejetpack.Options)) string {
	t.Helper()
	o := fakejetpack.Options{Tokens: signature.Keyring{
		Blog: BlogToken, Users: map[int64]string{1: UserToken}, UserExists: func(id int64) bool { return id == 1 },
	}}
	o.Sync.Full.Never = true
	if change != nil {
		change(&o)
	}
	s := httptest.NewServer(fakejetpack.New(o))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// different are questions that the fake answers otherwise, each for a reason.
var different = map[string]string{
	"no page":            "the fake has a page of its own for what is not found",
	"sync settings":      "the fake has the settings that a diagnosis reads",
	"connection data":    "nobody asks for it",
	"connection plugins": "nobody asks for it",
	"connection check":   "nobody asks for it",
	"module all":         "the fake is the complete Jetpack",
	"sync status fields": "the fake has no errors in its log",
}

func TestTheFakeAnswersAsTheRealSiteDid(t *testing.T) {
	t.Parallel()
	url := fake(t, nil)
	for heading, answers := range kept(t, "connected") {
		for _, q := range everything() {
			if _, ok := different[q.name]; ok {
				continue
			}
			t.Run(q.name, func(t *testing.T) {
				compare(t, q.call(t, url, url), answers[q.name], heading)
			})
		}
	}
}

// compare compares the fake's answer with a real one.
func compare(t testing.TB, got answer, want, heading string) {
	t.Helper()
	if shape := got.shape(); shape != want {
		t.Errorf("%s:\nfake %s\nreal %s", heading, shape, want)
	}
}

func TestTheFakeIsWrongAsTheRealSiteWas(t *testing.T) {
	t.Parallel()
	all := kept(t, "faults")
	for name, change := range map[string]func(*fakejetpack.Options){
		"maintenance":          func(o *fakejetpack.Options) { o.State = fakejetpack.Maintenance },
		"the database is away": func(o *fakejetpack.Options) { o.State = fakejetpack.DatabaseAway },
		"a fatal error":        func(o *fakejetpack.Options) { o.State = fakejetpack.Broken },
		"coming soon":          func(o *fakejetpack.Options) { o.State = fakejetpack.ComingSoon },
		"no owner":             func(o *fakejetpack.Options) { o.Tokens.Users = nil },
		"tokens lost":          func(o *fakejetpack.Options) { o.Tokens = signature.Keyring{} },
		"other tokens": func(o *fakejetpack.Options) {
			o.Tokens.Blog, o.Tokens.Users = "new.secret", map[int64]string{1: "newuser.secret.1"}
		},
		"plugin inactive": func(o *fakejetpack.Options) { o.NoJetpack = true },
		"PHP without XML": func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.NoXMLModule, true },
		"REST for those logged in": func(o *fakejetpack.Options) {
			o.RESTClosed, o.RESTStatus = "rest_not_logged_in", http.StatusUnauthorized
		},
		"REST for users alone": func(o *fakejetpack.Options) {
			o.RESTClosed, o.RESTStatus, o.RESTForUsers = "rest_cannot_access", http.StatusForbidden, true
		},
		"text before":      func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.PHPWarning, true },
		"byte order mark":  func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.ByteOrderMark, true },
		"blank lines":      func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.BlankLines, true },
		"text behind":      func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.WarningAfter, true },
		"body lost":        func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = fakejetpack.BodyDropped, true },
		"clock 20 m ahead": func(o *fakejetpack.Options) { o.Now = func() time.Time { return time.Now().Add(20 * time.Minute) } },
		"no methods":       func(o *fakejetpack.Options) { o.Plugin.MethodsRemoved = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers, ok := all[name]
			if !ok {
				t.Fatalf("nothing is recorded of %q", name)
			}
			url := fake(t, change)
			for _, q := range basics() {
				compare(t, q.call(t, url, url), answers[q.name], q.name)
			}
		})
	}
}
