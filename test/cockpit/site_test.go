package cockpit

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestASiteGoesDownAndItsPageShowsIt(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id := s.site(t, site.URL(), map[string]any{"blog_id": 7, "tags": []string{"shop"}})
	s.state(t, id, "SITE_STATE_UP")
	p := s.open(t, s.token(t, "sites:read", "outages:read"), "/ui/sites/"+id)
	p.sees("nobody looked")
	p.sees("None is planned")
	p.until("the site is up", `document.querySelector('.verdict .status').innerText.includes('up')`)
	eval[bool](p, `window.kept = document.querySelector('h1'); true`)
	site.SetStatus(http.StatusInternalServerError)
	s.hurry(t, id)
	s.state(t, id, "SITE_STATE_DOWN", "SITE_STATE_CONFIRMED_DOWN")
	took := p.until("the site is down", `document.querySelector('.verdict .status').innerText.includes('down')`)
	if took > 2*time.Second {
		t.Errorf("the page showed it after %s", took)
	}
	t.Logf("the page showed it after %s", took)
	if !eval[bool](p, `window.kept.isConnected`) {
		t.Error("the page was drawn anew")
	}
	p.press("Outage " + s.outage(t, id))
	p.sees("What happened")
	p.visit("/ui/sites/" + id)
	p.sees("What would change this")
	p.sees("Asked with")
	if w := p.weigh(); w.Shift > 0.1 {
		t.Errorf("the page moves while it loads: %+v", w)
	} else {
		t.Logf("loading it: %+v", w)
	}
	p.audit()
}

func TestWhoMayNotEditIsOfferedNothing(t *testing.T) {
	s := running(t)
	id := s.site(t, fakesite.New(t).URL(), nil)
	p := s.open(t, s.token(t, "sites:read"), "/ui/sites/"+id)
	p.sees("Every check of the last 6 h")
	p.sees("Asked with")
	p.until("maintenances are read", `document.body.innerText.includes('None is planned')`)
	for _, name := range []string{"Edit", "Check now", "Pause", "Plan a maintenance", "Outages"} {
		if eval[bool](p, fmt.Sprintf(`[...document.querySelectorAll('main button, main h2, nav a')].some((e) => e.innerText.trim() === %q)`, name)) {
			t.Errorf("offers %q", name)
		}
	}
}

func TestWhatTheAPIRefusesIsSaidBesideTheField(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id := s.site(t, site.URL(), nil)
	p := s.open(t, s.token(t, "sites:read", "sites:write", "checks:run"), "/ui/sites/"+id)
	p.forgive("status of 400")
	p.forgive("status of 412")
	p.press("Edit")
	p.until("the form is there", `document.querySelector('input[name=tags]')`)
	// At once, as a browser fills in what it remembers.
	eval[bool](p, `(() => { for (const [name, value] of [['check_interval', '0.5'], ['tags', 'good, B@d']]) {
		const e = document.querySelector('input[name=' + name + ']');
		e.value = value;
		e.dispatchEvent(new Event('input', { bubbles: true }));
	} return true; })()`)
	p.press("Save")
	beside := func(field, want string) {
		t.Helper()
		p.until(fmt.Sprintf("%q is said beside %s", want, field), fmt.Sprintf(`(() => { const e = document.querySelector('[name="%s"]'); return e?.getAttribute('aria-invalid') === 'true' &&
			(e.getAttribute('aria-describedby') ?? '').split(' ').some((id) => document.getElementById(id).innerText.includes(%q)); })()`, field, want))
	}
	beside("check_interval", "greater than or equal to 60s")
	beside("tags", "does not match")
	p.audit()
	p.fill("input[name=check_interval]", "2")
	p.fill("input[name=tags]", "good")
	p.click("input[type=checkbox]")
	p.press("Save")
	p.sees("Saved.")
	if got := s.call(t, "GET", "/v1/sites/"+id, nil); got["check_interval"] != "120s" || got["public_badges"] != true || fmt.Sprint(got["tags"]) != "[good]" || got["url"] != site.URL() {
		t.Errorf("saved %v", got)
	}
	p.until("the button that opened the form has the focus", `document.activeElement.innerText === 'Edit'`)
	// Somebody else edits it meanwhile: that is not lost.
	p.press("Edit")
	p.fill("input[name=tags]", "mine")
	s.call(t, "PATCH", "/v1/sites/"+id, map[string]any{"tags": []string{"theirs"}})
	p.press("Save")
	p.sees("Somebody has edited this site meanwhile.")
	if got := s.call(t, "GET", "/v1/sites/"+id, nil); fmt.Sprint(got["tags"]) != "[theirs]" {
		t.Errorf("the other edit was lost: %v", got["tags"])
	}
	p.until("the newest is loaded", `[...document.querySelectorAll('button')].find((b) => b.innerText === 'Load it')?.click() ?? document.querySelector('input[name=tags]').value === 'theirs'`)
	p.fill("input[name=tags]", "theirs, mine")
	p.press("Save")
	p.sees("Saved.")
}

func TestASiteIsCheckedPausedAndPutIntoMaintenance(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id := s.site(t, site.URL(), nil)
	s.state(t, id, "SITE_STATE_UP")
	p := s.open(t, s.token(t, "sites:read", "sites:write", "checks:run"), "/ui/sites/"+id)
	p.press("Check now")
	p.sees("This check:")
	p.sees("HTTP 200")
	p.press("Pause")
	p.until("it is paused", `document.querySelector('.verdict .status').innerText.includes('paused')`)
	p.press("Resume")
	p.until("it is up", `document.querySelector('.verdict .status').innerText.includes('up')`)

	p.forgive("status of 400")
	p.press("Plan a maintenance")
	p.press("Plan it")
	p.until("a name is asked for", `document.querySelector('input[name=name]')?.getAttribute('aria-invalid') === 'true'`)
	p.fill("input[name=name]", "Move of the database")
	eval[bool](p, `(() => { const e = document.querySelector('input[name=start_time]'); e.value = '2020-01-01T00:00'; e.value = new Date(Date.now() - new Date().getTimezoneOffset() * 60000 - 60000).toISOString().slice(0, 16); e.dispatchEvent(new Event('input', { bubbles: true })); return true; })()`)
	p.press("Plan it")
	p.sees("Move of the database")
	p.sees("In maintenance")
	p.audit()
	p.until("it can be ended", `[...document.querySelectorAll('button')].find((b) => b.innerText.startsWith('End now'))?.click() ?? !document.body.innerText.includes('End now')`)
	p.until("it is over", `[...document.querySelectorAll('td')].some((e) => e.innerText.includes('over'))`)
}

func TestSitesAreFoundByTheKeyboard(t *testing.T) {
	s := running(t)
	sites := []*fakesite.Site{fakesite.New(t), fakesite.New(t), fakesite.New(t)}
	var ids []string
	for _, site := range sites {
		ids = append(ids, s.site(t, site.URL(), map[string]any{"blog_id": 4711, "tags": []string{"keys"}}))
	}
	s.state(t, ids[0], "SITE_STATE_UP")
	p := s.open(t, s.token(t, "sites:read"), "/ui/")
	p.until("the first page is Sites", `location.pathname === '/ui/sites' && document.querySelector('[data-row]')`)
	p.visit("/ui/sites?tag=keys")
	p.until("three are there", `document.querySelectorAll('[data-row]').length === 3`)
	p.audit()
	p.key("/")
	p.until("the search has the focus", `document.activeElement.type === 'search'`)
	// A real browser gives the field no "/"; the driver sends it as a key and as a character.
	p.fill("input[type=search]", strings.TrimPrefix(strings.TrimSuffix(sites[1].URL(), "/"), "http://"))
	p.key(kb.Enter)
	p.until("one is left", `document.querySelectorAll('[data-row]').length === 1`)
	if path := p.path(); !strings.Contains(path, "find=127.0.0.1") || !strings.Contains(path, "tag=keys") {
		t.Errorf("the address is %s", path)
	}
	p.key(kb.Escape)
	p.key("j")
	p.key(kb.Enter)
	p.until("it is open", fmt.Sprintf(`location.pathname === '/ui/sites/%s'`, ids[1]))
	p.sees(sites[1].URL())
	p.visit("/ui/sites?tag=nobody-has-this")
	p.sees("No site fits")
	p.press("Show all sites")
	p.until("all are there", `document.querySelectorAll('[data-row]').length >= 3`)
	p.visit("/ui/sites?blog=x")
	p.forgive("status of 400")
	p.until("what is refused is said beside the field", `document.querySelector('input[name=blog_id]')?.getAttribute('aria-invalid') === 'true' && !document.querySelector('.waiting')`)
}
