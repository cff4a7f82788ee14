package access_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// hex and letters are tokens of just 128 bits: 32 hexadecimal digits, 22 other characters.
const (
	hex     = "0123456789abcdef0123456789abcdef"
	letters = "abcdefghijklmnopqrstuv"
)

func TestRoleTokensAreReadLineByLine(t *testing.T) {
	t.Parallel()
	got, err := access.ParseRoleTokens(strings.NewReader("# ours\n\n checker/c-1\t" + hex + " \r\ncoordinator " + letters + "\n"))
	want := []access.RoleToken{{Role: access.Checker, Name: "c-1", Token: hex}, {Role: access.Coordinator, Token: letters}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, says := range map[string]string{
		"":                          "no token",
		"# only this\n":             "no token",
		hex:                         "line 1: want",
		"checker " + hex + " x":     "line 1: want",
		"#\nadmin " + hex:           "line 2: the line does not begin with a role",
		hex + " checker":            "does not begin with a role",
		"checker/ " + hex:           "the name after checker/",
		"checker/\x7f " + hex:       "the name after checker/",
		"checker " + hex[1:]:        "fewer than 128 bits",
		"checker " + letters[1:]:    "fewer than 128 bits",
		"checker " + hex + "\u00e9": "printable ASCII",
	} {
		_, err := access.ParseRoleTokens(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an error with %q", text, err, says)
		} else if strings.Contains(err.Error(), hex[1:]) || strings.Contains(err.Error(), letters[1:]) {
			t.Errorf("%q: the error shows the token: %v", text, err)
		}
	}
}

func TestTheTokenToSendIsTheLastWordOfTheOnlyLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		hex: hex, "checker/c1 " + hex + "\n": hex, "# mine\n" + letters: letters,
		"": "", hex + "\n" + hex: "", "checker c1 " + hex: "", "secret": "",
	} {
		if got, err := access.ParseToken(strings.NewReader(text)); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestATokenThatIsEasyToGuessIsRefused(t *testing.T) {
	t.Parallel()
	for token, good := range map[string]bool{
		hex: true, letters: true, strings.ToUpper(hex): true, "jm_" + strings.Repeat("abcdefgh", 7): true,
		hex[1:]: false, letters[1:]: false, strings.Repeat("a", 64): false, strings.Repeat("abcdefg", 20): false,
		strings.Repeat("abcdefgh", 64): true, strings.Repeat("abcdefgh", 64) + "i": false, hex + " ": false, hex + "\n": false,
	} {
		if err := access.CheckToken(token); (err == nil) != good {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestARuleNamesWhoMay(t *testing.T) {
	t.Parallel()
	rule := access.Rule{Scope: access.SitesWrite, Roles: []access.Role{access.Coordinator}}
	for name, c := range map[string]struct {
		rule   access.Rule
		caller access.Caller
		kind   fault.Kind
		ok     bool
	}{
		"nobody known":                  {rule, access.Caller{}, fault.Unauthenticated, false},
		"nobody known, in public":       {access.Rule{Public: true}, access.Caller{}, 0, true},
		"anybody where nobody is asked": {access.Rule{}, access.Anybody(), 0, true},
		"a token with the scope":        {rule, access.Caller{TokenID: 1, Scopes: access.SitesWrite | access.SitesRead}, 0, true},
		"a token with another scope":    {rule, access.Caller{TokenID: 1, Scopes: access.SitesRead | access.FleetRead}, fault.Denied, false},
		"an admin's token":              {rule, access.Caller{TokenID: 1, Scopes: access.Admin}, 0, true},
		"a node of the role":            {rule, access.Caller{Role: access.Coordinator, Name: "a"}, 0, true},
		"a node of another role":        {rule, access.Caller{Role: access.Checker}, fault.Denied, false},
		"an admin where none may":       {access.Rule{Roles: []access.Role{access.Checker}}, access.Caller{TokenID: 1, Scopes: access.Admin}, fault.Denied, false},
		"scopes without a token":        {rule, access.Caller{Scopes: access.Admin}, fault.Unauthenticated, false},
	} {
		if err := c.rule.Permit(c.caller); (err == nil) != c.ok || err != nil && !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScopesReadBackAsTheyWereNamed(t *testing.T) {
	t.Parallel()
	all, err := access.ParseScopes(access.AllScopes())
	if diff := cmp.Diff(access.AllScopes(), all.Names()); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := access.ParseScopes([]string{"sites:read", "sites:own"}); err == nil || !strings.Contains(err.Error(), "sites:own") {
		t.Errorf("an unknown scope: %v", err)
	}
}

func TestWhatACallerSeesAndMayBe(t *testing.T) {
	t.Parallel()
	limited := access.Caller{TokenID: 1, Blogs: []check.BlogID{7}}
	if !limited.Sees(7) || limited.Sees(8) || !(access.Caller{TokenID: 1}).Sees(8) || access.From(t.Context()).Sees(7) {
		t.Error("a limited caller sees blog 7 alone, another one all, and who is not known none")
	}
	for node, c := range map[string]access.Caller{
		"a": {Role: access.Checker, Name: "a"}, "b": {Role: access.Checker}, "c": access.Anybody(),
	} {
		if !c.MayBe(node) {
			t.Errorf("%v may not be %s", c, node)
		}
	}
	if (access.Caller{Role: access.Checker, Name: "a"}).MayBe("b") || limited.MayBe("a") {
		t.Error("somebody may be another node")
	}
}
