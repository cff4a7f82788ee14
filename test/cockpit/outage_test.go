package cockpit

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/Automattic/jetmon/test/fakesite"
)

// down adds a site that is down, and returns its id and that of its outage.
func (s *system) down(t *testing.T, site *fakesite.Site, more map[string]any) (id, outage string) {
	t.Helper()
	site.SetStatus(http.StatusServiceUnavailable)
	id = s.site(t, site.URL(), more)
	return id, s.outage(t, id)
}

// outage waits until a site has an open outage, and returns its id.
func (s *system) outage(t *testing.T, site string) (id string) {
	t.Helper()
	s.state(t, site, "SITE_STATE_DOWN", "SITE_STATE_CONFIRMED_DOWN")
	await(t, "site "+site+" has an outage", func() bool {
		id = text(s.call(t, "GET", "/v1/sites/"+site, nil)["outage_id"])
		return id != "0"
	})
	return id
}

func TestAnOutageIsToldAsAStory(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id, outage := s.down(t, site, nil)
	p := s.open(t, s.token(t, "outages:read"), "/ui/outages/"+outage)
	for _, want := range []string{"The first failure", "Checked again", "The verifliers were asked", "The outage was confirmed", "server error (http 503), HTTP 503", "america", "asia", "europe"} {
		p.sees(want)
	}
	p.until("it is told to WordPress.com", `document.body.innerText.includes('WordPress.com was told that it is down')`)
	order := eval[string](p, `[...document.querySelectorAll('.story strong')].map((e) => e.innerText).join('; ')`)
	if !strings.HasPrefix(order, "The first failure; Checked again") || !strings.HasSuffix(order, "The verifliers were asked; The outage was confirmed; WordPress.com was told that it is down") {
		t.Errorf("the story is: %s", order)
	}
	if n := eval[int](p, `document.querySelectorAll('.regions li').length`); n != 3 {
		t.Errorf("%d regions are drawn", n)
	}
	if n := eval[int](p, `document.querySelectorAll('.fall svg rect').length`); n < 6 {
		t.Errorf("the waterfalls have %d parts", n)
	}
	if got, want := eval[string](p, "document.title"), "Outage "+outage+" of "+site.URL()+" · Jetmon"; got != want {
		t.Errorf("the title is %q, want %q", got, want)
	}
	p.audit()

	// What another rule would have said, by the keyboard; the address has it, for who gets the link.
	p.sees("by the rule that decided")
	eval[bool](p, `document.querySelector('input[type=range]').focus() ?? true`)
	p.key(kb.ArrowRight)
	p.sees("3 votes of 3, from 2 regions.")
	if path := p.path(); path != "/ui/outages/"+outage+"?need=3" {
		t.Errorf("the address is %s", path)
	}
	q := s.open(t, s.token(t, "outages:read"), p.path())
	q.sees("3 votes of 3, from 2 regions.")

	// It ends, and the open page says so.
	site.SetStatus(http.StatusOK)
	s.hurry(t, id)
	s.state(t, id, "SITE_STATE_UP")
	took := p.until("it is over", `document.querySelector('.verdict').innerText.includes('Was down for')`)
	p.sees("WordPress.com was told that it is up again")
	t.Logf("the page showed it %s after the API did", took)
	p.visit("/ui/outages/999999999")
	p.forgive("status of 404")
	p.sees("That did not work")
}

func TestNothingThatOthersWroteBecomesCode(t *testing.T) {
	s := running(t)
	const attack = `"><img src=x onerror=pwned(1)><script>pwned(2)</script>{{pwned}}`
	site := fakesite.New(t)
	site.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", attack)
		w.Header().Set("Retry-After", attack)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<title>%s</title>Access denied by Sucuri Website Firewall %s", attack, attack)
	})
	id := s.site(t, site.URL()+"?q="+`"><svg/onload=pwned(3)>'`, map[string]any{
		"tags": []string{"x:y.z-1"},
		"settings": map[string]any{
			"required_texts": []string{attack}, "forbidden_texts": []string{`javascript:pwned(4)//` + attack},
			"headers": []map[string]any{{"name": "X-Attack", "value": attack}},
		},
	})
	s.call(t, "POST", "/v1/maintenances", map[string]any{
		"site_id": id, "name": attack, "reason": attack, "start_time": "2035-01-01T00:00:00Z", "duration": "3600s",
	})
	outage := s.outage(t, id)
	p := s.open(t, s.token(t, "sites:read", "sites:write", "outages:read"), "/ui/sites/"+id)
	p.sees("X-Attack: " + attack)
	p.until("the maintenance is listed", fmt.Sprintf(`[...document.querySelectorAll('td')].some((e) => e.innerText.includes(%q))`, attack))
	p.press("Edit")
	p.until("the form has it", fmt.Sprintf(`document.querySelector('[name="settings.required_texts"]')?.value === %q`, attack))
	p.visit("/ui/outages/" + outage)
	p.sees("What happened")
	p.press("What the last of them kept of the answer")
	p.sees(attack)
	p.visit("/ui/sites?tag=x:y.z-1")
	p.until("it is listed", `document.querySelector('[data-row]')?.innerText.includes('pwned')`)
	p.visit("/ui/sites/" + `%3Cimg%20src=x%20onerror=pwned(5)%3E`)
	p.forgive("status of 400")
	p.sees("That did not work")
	if p.has("img, main script, iframe") {
		t.Error("an element came of what others wrote")
	}
}
