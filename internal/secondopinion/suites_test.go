package secondopinion

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// suite reads the cases of a public test suite, which lies beside the engine's own tests.
func suite[T any](t *testing.T, path string) (cases []T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestTheURLStandardsSuite has what a browser makes of a URL. Some of it is refused here on
// purpose: no name server knows an empty label, nothing listens on port 0, and user
// information is dropped.
func TestTheURLStandardsSuite(t *testing.T) {
	t.Parallel()
	cases := suite[struct {
		Input, Base, Href string
		Failure, Other    bool
	}](t, "../weburl/testdata/urls.json")
	compared := 0
	for _, c := range cases {
		href, _, _ := strings.Cut(c.Href, "#")
		if strings.Contains(href, "@") || strings.Contains(c.Base, "@") || strings.Contains(href, ":0/") || strings.Contains(href, "./") && strings.Count(href, "/") == 3 {
			continue
		}
		var base *location
		if c.Base != "" {
			l, err := parseLocation(c.Base, nil)
			if err != nil {
				t.Fatalf("base %q: %v", c.Base, err)
			}
			base = &l
		}
		compared++
		got, err := parseLocation(c.Input, base)
		if (err != nil) != (c.Failure || c.Other) || err == nil && got.String() != href {
			t.Errorf("%.100q on %q: %s, %v, want %q", c.Input, c.Base, got, err, href)
		}
	}
	if compared < 380 {
		t.Errorf("only %d of %d cases were compared", compared, len(cases))
	}
}

// TestTheHTTPStateSuite has what browsers send back of the cookies that they got. Where
// RFC 6265bis has changed since the suite was made, the engine's test lists the case, too:
// a cookie may lack a name, and control characters end all trust.
func TestTheHTTPStateSuite(t *testing.T) {
	t.Parallel()
	cases := suite[struct {
		Test           string
		Received, Sent []string
		SentTo         string `json:"sent_to"`
	}](t, "../probe/testdata/cookies.json")
	compared := 0
	for _, c := range cases {
		if hasChanged(c.Received) || c.Test == "DISABLED_PATH0029" || c.Test == "OPTIONAL_DOMAIN0042" {
			continue
		}
		from, err := parseLocation("http://home.example.org/cookie-parser?"+c.Test, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := parseLocation("http://home.example.org/cookie-parser-result?"+c.Test, nil)
		if err == nil && c.SentTo != "" {
			to, err = parseLocation(c.SentTo, &to)
		}
		if err != nil {
			t.Fatal(err)
		}
		compared++
		jar := newCookies()
		jar.keep(from, c.Received)
		if got, want := jar.header(to), strings.Join(c.Sent, "; "); got != want {
			t.Errorf("%s: %.100q to %s: %q, want %q", c.Test, c.Received, to, got, want)
		}
	}
	if compared < 180 {
		t.Errorf("only %d of %d cases were compared", compared, len(cases))
	}
}

// hasChanged reports whether the cookies of a case mean something else by now: one has no
// name, or a control character, or ended in the years between.
func hasChanged(lines []string) bool {
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		name, _, ok := strings.Cut(pair, "=")
		if !ok || trimBlanks(name) == "" || strings.ContainsAny(line, "\x00\r") || strings.Contains(line, " 2017 ") || strings.Contains(line, " 2019 ") {
			return true
		}
	}
	return false
}
