package cockpit

import (
	"net/http"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestTheFleetShowsWhetherTheMonitorIsWell(t *testing.T) {
	s := running(t)
	site := fakesite.New(t)
	id := s.site(t, site.URL(), nil)
	s.state(t, id, "SITE_STATE_UP")
	p := s.open(t, s.token(t, "fleet:read", "outages:read"), "/ui/fleet")
	for _, want := range []string{"The monitor is well.", "checker-1", "veriflier-3", "works", "There are none."} {
		p.sees(want)
	}
	if shards := eval[int](p, `document.querySelectorAll('.shards li').length`); shards != 32 {
		t.Errorf("%d shards", shards)
	}
	if cells := eval[int](p, `document.querySelectorAll('.matrix tbody td').length`); cells != 9 {
		t.Errorf("%d cells say who dissents from whom among three", cells)
	}
	p.audit()
	// What changes does so without a load, and nothing else moves.
	p.until("the fleet is quiet", `document.querySelector('.figures')`)
	eval[bool](p, `window.kept = document.querySelector('.figures'); true`)
	site.SetStatus(http.StatusInternalServerError)
	s.hurry(t, id)
	s.state(t, id, "SITE_STATE_DOWN", "SITE_STATE_CONFIRMED_DOWN")
	p.until("one site is down", `[...document.querySelectorAll('.figure')].some((f) => f.innerText.startsWith('Down') && /[1-9]/.test(f.querySelector('strong').innerText))`)
	p.until("verifliers that voted in that ballot agree", `[...document.querySelectorAll('.matrix td')].some((c) => /agree\s+0 of [1-9]/.test(c.innerText))`)
	if !eval[bool](p, `window.kept.isConnected`) {
		t.Error("the figures were drawn anew")
	}
}
