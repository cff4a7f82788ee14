package cockpit

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestAnyURLIsTriedFromEverywhere(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	p := s.open(t, s.token(t, "checks:run"), "/ui/try")
	p.sees("All verifliers look at a URL")
	p.fill("input[name=url]", site.URL())
	p.key(kb.Enter)
	p.sees("0 of 3 verifliers saw it fail, 3 saw it work. To be down it takes 2 votes of 3, from 2 regions.")
	for _, want := range []string{"europe", "america", "asia", "HTTP 200 from 127.0.0.1", "waiting"} {
		p.sees(want)
	}
	p.audit()
	p.shot("answers")
	// Another URL replaces the first; what an outsider writes stays text.
	site.SetHandler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", `<img src=x onerror=pwned(1)>`)
		w.Header().Set("Location", `/<script>pwned(2)</script>`)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	p.fill("input[name=url]", site.URL()+`?<img/src=x/onerror=pwned(3)>`)
	p.key(kb.Enter)
	p.sees("3 of 3 verifliers saw it fail")
	p.sees("server error")
	// The answers come one by one, and a look that hangs can be stopped.
	site.Hang()
	p.press("Ask all verifliers")
	p.sees("0 of 3 have answered.")
	p.press("Stop")
	p.sees("Stopped.")
	// What the API refuses is said beside the field.
	p.forgive("status of 400")
	p.fill("input[name=url]", "ftp://example.com/")
	p.key(kb.Enter)
	p.until("the field is refused", `document.querySelector('input[name=url]').getAttribute('aria-invalid') === 'true' && document.querySelector('.refused').innerText.includes('http')`)
	p.audit()
}

func TestTryingTakesItsScope(t *testing.T) {
	s := running(t)
	p := s.open(t, s.token(t, "outages:read"), "/ui/try")
	p.sees("This takes a token with the scope checks:run")
	if eval[bool](p, `[...document.querySelectorAll('nav a')].some((a) => /Try|Diagnose/.test(a.innerText))`) {
		t.Error("is offered to whoever may not")
	}
}

func TestADiagnosisIsWatched(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	site.SetHandler(fakejetpack.New(fakejetpack.Options{Obstacle: fakejetpack.Cloudflare}).ServeHTTP)
	id := s.site(t, site.URL(), nil)
	p := s.open(t, s.token(t, "checks:run", "sites:read"), "/ui/diagnose")
	p.fill("input[name=host]", id)
	p.key(kb.Enter)
	p.until("the page of the site's diagnosis opens", "location.pathname === '/ui/sites/"+id+"/diagnose' && document.querySelector('h1')?.innerText === 'Diagnosis'")
	p.click("button.main")
	p.until("findings arrive before the end", `document.querySelectorAll('.findings tbody tr').length > 0`)
	p.sees("What is wrong")
	p.until("the most likely cause is on top", `document.querySelector('.causes li').innerText.startsWith('firewall')`)
	p.sees("Diagnose again")
	p.audit()
	p.shot("findings")
	// A host finds the site as well; what is monitored nowhere is said.
	p.visit("/ui/diagnose")
	p.fill("input[name=host]", "nobody.example")
	p.key(kb.Enter)
	p.sees("No monitored site is like that")
	p.audit()
	p.visit("/ui/sites/999999999/diagnose")
	p.forgive("status of 404")
	p.sees("Some two dozen")
	p.click("button.main")
	p.sees("there is no site 999999999")
}
