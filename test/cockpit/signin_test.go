package cockpit

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestAPersonSignsInAndOut(t *testing.T) {
	s := running(t)
	p := s.open(t, "", "/ui/outages?tag=x")
	p.forgive("status of 401")
	p.sees("Sign in")
	p.audit()
	p.fill("input[name=token]", "jm_wrong")
	p.key(kb.Enter)
	p.sees("the bearer token is not accepted")
	p.fill("input[name=token]", s.token(t, "outages:read"))
	p.key(kb.Enter)
	p.sees("Sign out")
	if got := p.path(); got != "/ui/outages?tag=x" {
		t.Errorf("after signing in the address is %s", got)
	}
	if cookie := eval[string](p, "document.cookie"); cookie != "" {
		t.Errorf("scripts see %q", cookie)
	}
	p.press("Sign out")
	p.sees("jm_ and 52 characters")
	p.visit("/ui/outages")
	p.sees("jm_ and 52 characters")
}

func TestWhatAScopeDoesNotAllowIsNotOffered(t *testing.T) {
	s := running(t)
	p := s.open(t, s.token(t, "outages:read"), "/ui/")
	p.until("the first page is Outages", `location.pathname === '/ui/outages' && document.querySelector('h1')`)
	if nav := eval[string](p, `document.querySelector('nav').innerText`); strings.Contains(nav, "Fleet") {
		t.Errorf("offers %q", nav)
	}
	p.visit("/ui/fleet")
	p.sees("This takes a token with the scope fleet:read; yours has outages:read.")
	q := s.open(t, s.token(t, "notifications:manage"), "/ui/")
	q.sees("There is no page for these scopes")
}

func TestATokenThatEndsIsSaid(t *testing.T) {
	s := running(t)
	made := s.call(t, "POST", "/v1/tokens", map[string]any{"name": "ends", "scopes": []string{"fleet:read"}})
	token, _ := made["token"].(map[string]any)
	p := s.open(t, text(made["secret"]), "/ui/fleet")
	p.forgive("status of 401")
	p.sees("Sign out")
	s.call(t, "DELETE", "/v1/tokens/"+text(token["token_id"]), nil)
	p.sees("You were signed out: the bearer token is not accepted")
}
