package mistake

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// said lists mistakes by what they say.
func said(all []Mistake) []string {
	var texts []string
	for _, m := range all {
		texts = append(texts, m.Says)
	}
	return texts
}

func TestMistakesAreTriedInTheOrderOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		facts Facts
		begin []string
		has   []string
		lacks []string
	}{
		"nothing is known": {Facts{URL: parse(t, "https://example.com/xmlrpc.php?for=jetpack")},
			[]string{"http", "host www.example.com", "path //xmlrpc.php", "a clock 1h ahead", "a clock 1h behind", "a clock 15m ahead"},
			[]string{"port 8080", "http and host www.example.com", "http and a clock 1h ahead", "a clock 45m behind"}, []string{"https", "port 443"}},
		"the clock is PHP's and right": {Facts{URL: parse(t, "https://www.example.com/xmlrpc.php"), HasClock: true, OwnClock: true},
			[]string{"http", "host example.com", "path //xmlrpc.php", "port 8080", "port 8443"},
			[]string{"port 6081", "http and host example.com", "a clock 45m behind"}, []string{"http and a clock 1h ahead"}},
		"the clock is wrong": {Facts{URL: parse(t, "http://example.com/xmlrpc.php"), HasClock: true, Ahead: 20 * time.Minute},
			[]string{"a clock 20m ahead", "https and a clock 20m ahead", "host www.example.com and a clock 20m ahead"},
			[]string{"port 8080 and a clock 20m ahead", "port 8080"}, []string{"a clock 1h ahead"}},
		"the site has another address": {Facts{URL: parse(t, "https://example.com/blog/xmlrpc.php"), Claimed: []*url.URL{parse(t, "https://shop.example.net/wp")}},
			[]string{"http", "host shop.example.net", "host www.example.com", "path //blog/xmlrpc.php", "path /xmlrpc.php", "path /wp/xmlrpc.php"}, nil, nil},
		"a port": {Facts{URL: parse(t, "http://example.com:8080/xmlrpc.php")},
			[]string{"host example.com:8080 and port 8080", "host example.com:8080 and port 80", "https", "port 80"}, nil, []string{"port 8080"}},
		"a parameter is added": {Facts{URL: parse(t, "http://example.com/xmlrpc.php"), Added: "lang=en&x"}, []string{"a query with lang"}, nil, nil},
		"the detour":           {Facts{URL: parse(t, "https://example.com/?for=jetpack&jetpack=comms")}, []string{"http", "host www.example.com", "a clock 1h ahead"}, nil, nil},
	} {
		got := said(Order(tt.facts))
		if len(got) < len(tt.begin) || !slices.Equal(got[:len(tt.begin)], tt.begin) {
			t.Errorf("%s begins with %q, want %q", name, got, tt.begin)
		}
		for _, s := range tt.has {
			if !slices.Contains(got, s) {
				t.Errorf("%s: %q is not among %q", name, s, got)
			}
		}
		for _, s := range tt.lacks {
			if slices.Contains(got, s) {
				t.Errorf("%s: %q is among %q", name, s, got)
			}
		}
		slices.Sort(got)
		if twice := len(got) - len(slices.Compact(slices.Clone(got))); twice > 0 {
			t.Errorf("%s: %d mistakes are tried twice: %q", name, twice, got)
		}
	}
}

func TestAMistakeIsSignedAsTheSiteSeesIt(t *testing.T) {
	t.Parallel()
	token, err := signature.ParseCredential("key.secret")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	for _, f := range []Facts{
		{URL: parse(t, "https://example.com/blog/xmlrpc.php?for=jetpack"), Added: "lang=en", Claimed: []*url.URL{parse(t, "https://example.com/wp")}},
		{URL: parse(t, "http://example.com:8081/xmlrpc.php?for=jetpack"), HasClock: true, Ahead: 40 * time.Minute},
	} {
		for _, m := range Order(f) {
			signed, err := m.Sign(token, signature.Call{Method: "POST", URL: f.URL.String(), Body: []byte("x")}, now)
			if err != nil {
				t.Fatal(err)
			}
			// What is sent does not change, but for the time.
			if u := parse(t, signed); u.Host != f.URL.Host || u.Path != f.URL.Path || u.Query().Has("lang") {
				t.Errorf("%s is sent to %s", m.Says, u)
			}
			site := func(seen bool) error {
				v := signature.NewVerifier(signature.VerifierOptions{
					Tokens: signature.Keyring{Blog: "key.secret"}, Nonces: signature.NewNonces(9, time.Now),
					Now: func() time.Time { return now.Add(m.Ahead) },
				})
				u := parse(t, signed)
				r := signature.Received{Method: "POST", Host: u.Hostname(), URI: u.RequestURI(), HTTPS: u.Scheme == "https", Body: []byte("x"), ServerPort: 80}
				if r.HTTPS {
					r.ServerPort = 443
				}
				if p := u.Port(); p != "" {
					_, _ = fmt.Sscan(p, &r.ServerPort)
				}
				if !seen {
					_, err := v.Verify(r)
					return err
				}
				if m.Host != "" {
					r.Host = m.Host
				}
				if m.Port != 0 {
					r.HTTPS = m.Port == 443
					r.ServerPort = m.Port
				}
				if rest, ok := strings.CutPrefix(r.URI, m.Strip); ok {
					r.URI = m.Add + rest
				}
				if m.Query != "" {
					r.URI += "&" + m.Query
				}
				_, err := v.Verify(r)
				return err
			}
			if err := site(true); err != nil {
				t.Errorf("%s: refused by a site with this mistake: %v", m.Says, err)
			}
			if err := site(false); err == nil && (m.Host != "" || m.Port != 0 || m.Strip != "" || m.Add != "" || m.Query != "") {
				t.Errorf("%s: accepted by a site without it", m.Says)
			}
			if len(m.Causes) == 0 || m.Says == "" {
				t.Errorf("%+v proves nothing", m)
			}
		}
	}
}

func TestAClockIsMeasuredByWhatIsAccepted(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1, 2}, func(rt *rapid.T) {
		truth := time.Duration(rapid.Int64Range(-3600, 3600).Draw(rt, "ahead")) * time.Second
		accepts := func(ahead time.Duration) bool { return ahead >= truth-maxPast && ahead <= truth+maxFuture }
		start := time.Duration(rapid.Int64Range(-600, 300).Draw(rt, "start"))*time.Second + truth
		if !accepts(start) {
			rt.Fatal("the test is wrong")
		}
		known := Accepted(start)
		for range 6 {
			if truth < known.From || truth > known.To {
				rt.Fatalf("%v is outside of %v", truth, known)
			}
			ahead, yes, no := known.Halve()
			known = no
			if accepts(ahead) {
				known = yes
			}
		}
		if off := (known.Middle() - truth).Abs(); off > 10*time.Second {
			rt.Fatalf("%v, measured as %v", truth, known.Middle())
		}
	})
	for ahead, want := range map[time.Duration]bool{0: true, 9 * time.Minute: true, 10 * time.Minute: false, -4 * time.Minute: true, -5 * time.Minute: false} {
		if Accepts(ahead) != want {
			t.Errorf("a clock %s is accepted: %t", Difference(ahead), !want)
		}
	}
	for ahead, want := range map[time.Duration]string{0: "right", time.Second: "right", 90 * time.Second: "1m30s ahead", -time.Hour: "1h behind", 20 * time.Minute: "20m ahead"} {
		if got := Difference(ahead); got != want {
			t.Errorf("%v is %q, want %q", ahead, got, want)
		}
	}
}

func TestEachCauseHasATextOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, c := range Causes() {
		if c.Name == "" || c.Means == "" || c.Owner+c.Host == "" {
			t.Errorf("%+v is not complete", c)
		}
		for _, text := range []string{c.Name, c.Means, c.Owner, c.Host} {
			if other, twice := seen[text]; twice && text != "" {
				t.Errorf("%s and %s share %q", other, c.Name, text)
			}
			seen[text] = c.Name
		}
	}
}
