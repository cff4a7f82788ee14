package cockpit

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/Automattic/jetmon/test/fakesite"
)

// promised is how soon a page shows what has happened.
const promised = 2 * time.Second

// openOutage returns the open outage of a site, waiting for it; and when it was seen to be there.
func (s *system) openOutage(t *testing.T, site string) (outage map[string]any, seen time.Time) {
	t.Helper()
	await(t, "site "+site+" has an open outage", func() bool {
		list, _ := s.call(t, "GET", "/v1/outages?open=true&site_id="+site, nil)["outages"].([]any)
		if len(list) == 0 {
			return false
		}
		outage, _ = list[0].(map[string]any)
		return true
	})
	return outage, time.Now()
}

func TestAnOutageIsShownWithinTwoSeconds(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id := s.site(t, site.URL(), map[string]any{"tags": []string{"two-seconds"}})
	s.state(t, id, "SITE_STATE_UP")
	p := s.open(t, s.token(t, "outages:read"), "/ui/outages?tag=two-seconds")
	p.sees("No open outage fits these filters")
	site.SetStatus(http.StatusServiceUnavailable)
	s.hurry(t, id)
	_, seen := s.openOutage(t, id)
	p.sees("server error (503)")
	if took := time.Since(seen); took > promised {
		t.Errorf("the page showed the outage %s after it was there, want at most %s", took, promised)
	} else {
		t.Logf("shown %s after it was there", took)
	}
	p.audit()
	site.SetStatus(http.StatusOK)
	s.hurry(t, id)
	p.until("the outage is over", `document.querySelector('section[aria-label=Over] tbody')?.innerText.includes('server error')`)
	p.sees("No open outage fits these filters")
}

func TestFiltersAreInTheAddressAndTheKeyboardIsEnough(t *testing.T) {
	s := running(t)
	var urls []string
	for range 2 {
		site := fakesite.New(t)
		site.SetStatus(http.StatusForbidden)
		id := s.site(t, site.URL(), map[string]any{"tags": []string{"keys"}})
		s.openOutage(t, id)
		urls = append(urls, site.URL())
	}
	p := s.open(t, s.token(t, "outages:read", "fleet:read"), "/ui/outages?tag=keys&state=open")
	p.sees(urls[0])
	p.sees(urls[1])
	p.key("j")
	p.key("j")
	if at := eval[string](p, `document.activeElement.innerText`); at != urls[0] { // the newest is first
		t.Errorf("after j j the focus is on %q", at)
	}
	p.key("k")
	if at := eval[string](p, `document.activeElement.innerText`); at != urls[1] {
		t.Errorf("after k the focus is on %q", at)
	}
	p.key("/")
	if !eval[bool](p, `document.activeElement.matches('input[type=search]')`) {
		t.Error("after / the focus is not on the search")
	}
	p.fill("input[type=search]", strings.TrimPrefix(strings.TrimSuffix(urls[0], "/"), "http://"))
	p.key(kb.Enter)
	p.seesNot(urls[1])
	p.sees(urls[0])
	if got := p.path(); !strings.Contains(got, "host=127.0.0.1%3A") || !strings.Contains(got, "tag=keys") {
		t.Errorf("the address is %s", got)
	}
	p.key("?")
	p.until("the keys are listed", `document.querySelector('dialog[open]')`)
	p.shot("keys")
	p.key(kb.Escape)
	p.until("the list is closed", `!document.querySelector('dialog')`)
	p.key("g")
	p.key("f")
	p.sees("Coordinators")
	if title := eval[string](p, "document.title"); title != "Fleet · Jetmon" {
		t.Errorf("the title is %q", title)
	}
	p.run(back())
	p.sees(urls[0])
	p.visit("/ui/outages?tag=keys&region=asia")
	p.sees(urls[1])
	p.fill("input[name=region]", "mars")
	p.key(kb.Enter)
	p.sees("No open outage fits these filters")
	if got := p.path(); !strings.Contains(got, "region=mars") {
		t.Errorf("the address is %s", got)
	}
	p.visit("/ui/outages?host=%20bad%20host")
	p.forgive("status of 400")
	p.until("what is refused is said beside the field, and nowhere else", `document.querySelector('input[name=host]')?.getAttribute('aria-invalid') === 'true' && document.querySelector('.refused')?.innerText === 'must be a host, with or without a port: has no valid host' && !document.querySelector('.problem, .waiting')`)
	p.sees("Nothing is listed before what is refused above is mended.")
	p.visit("/ui/outages?tag=keys&kind=FAILURE_KIND_DNS")
	p.sees("No open outage fits these filters")
	p.press("Clear the filters")
	p.sees(urls[1])
}

func TestWhatOutsidersWriteIsText(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	const attack = `<script>pwned('page')</script><img src=x onerror=pwned('page')>`
	site.SetPage(http.StatusForbidden, "<title>"+attack+"</title><h1>Access denied by "+attack+"</h1>")
	id := s.site(t, site.URL()+`?"><img/src=x/onerror=pwned(1)>&'-pwned(2)-'=<svg/onload=pwned(3)>`, map[string]any{
		"blog_id": 4711,
	})
	s.openOutage(t, id)
	p := s.open(t, s.token(t, "outages:read", "fleet:read"), "/ui/outages?blog=4711")
	p.sees("blocked by a firewall")
	p.sees("pwned(")
	p.visit(`/ui/outages?host=<img src=x onerror=pwned(4)>&kind="><script>pwned(5)</script>`)
	p.forgive("status of 400")
	p.until("what is refused is said beside the field", `[...document.querySelectorAll('.refused')].some((e) => e.innerText.includes('must be one of'))`)
	p.visit(`/ui/<script>pwned(6)</script>`)
	p.sees("Nothing here")
}
