package cockpit

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/Automattic/jetmon/test/fakesite"
)

// untilOver is how long an incident goes on after its last site has recovered, and some more.
const untilOver = 2*time.Minute + patience

// hosted adds sites on a host of its own, which no other story's sites share, and waits until all are up.
func (s *system) hosted(t *testing.T, host *fakesite.Site, sites int) (ids []string) {
	t.Helper()
	for i := range sites {
		ids = append(ids, s.site(t, fmt.Sprintf("%sshop-%d/", host.URL(), i+1), map[string]any{"tags": []string{"hosted"}}))
	}
	for _, id := range ids {
		s.state(t, id, "SITE_STATE_UP")
	}
	return ids
}

// outagesOf waits until each site has an open outage, and returns their ids.
func (s *system) outagesOf(t *testing.T, sites []string) (outages []string) {
	t.Helper()
	for _, id := range sites {
		s.hurry(t, id)
	}
	for _, id := range sites {
		outages = append(outages, s.outage(t, id))
	}
	return outages
}

// A host goes down with its sites: the page shows one incident, which opens, leads to each outage by the
// keyboard, and says how many sites are down and when it is over. No incident is over before its sites
// have been up for two minutes: they pass while other stories run.
func TestSitesThatFailTogetherAreOneIncident(t *testing.T) {
	s := running(t)
	host := fakesite.NewOn(t, netip.MustParseAddrPort("127.77.0.2:0"))
	ids := s.hosted(t, host, 13)
	ids, late := ids[:12], ids[12:]
	p := s.open(t, s.token(t, "outages:read", "fleet:read"), "/ui/outages?tag=hosted")
	p.sees("No open outage fits these filters")
	host.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/shop-13") {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	outages := s.outagesOf(t, ids)

	// The page that was open shows it, and its sites stand together.
	p.sees("12 sites share the address 127.77.0.2")
	p.sees("12 of its sites are down. 12 outages of it are on this page.")
	heading := `document.querySelector('section[aria-label=Open] .incident button')`
	if n := eval[int](p, `document.querySelectorAll('section[aria-label=Open] .incident').length`); n != 1 {
		t.Errorf("%d incidents are shown", n)
	}
	if n := eval[int](p, `document.querySelectorAll('section[aria-label=Open] tbody tr').length`); n != 0 {
		t.Errorf("%d outages are shown before it is opened", n)
	}
	p.audit()

	// The keyboard opens it and walks on to its outages.
	p.key("j")
	if !eval[bool](p, "document.activeElement === "+heading) {
		t.Errorf("after j the focus is on %q", eval[string](p, `document.activeElement.innerText`))
	}
	p.key(kb.Enter)
	p.until("it is open", heading+`.ariaExpanded === 'true'`)
	links := eval[[]string](p, `[...document.querySelectorAll('section[aria-label=Open] .incident a[data-row]')].map((a) => a.getAttribute('href').split('/').pop())`)
	slices.Sort(links)
	slices.Sort(outages)
	if !slices.Equal(links, outages) {
		t.Errorf("it leads to the outages %v, want %v", links, outages)
	}
	p.audit()

	// A site that fails later joins it while the page is looked at: nothing is told of that.
	host.SetStatus(http.StatusServiceUnavailable)
	s.outagesOf(t, late)
	p.sees("13 sites share the address 127.77.0.2")
	p.until("all stand in it", `document.querySelectorAll('section[aria-label=Open] .incident tbody tr').length === 13 && document.querySelectorAll('section[aria-label=Open] table').length === 1`)
	p.key("j")
	url := eval[string](p, `document.activeElement.innerText`)
	p.key(kb.Enter)
	p.sees("The first failure")
	p.sees(strings.TrimSuffix(url, "/"))
	p.run(back())

	// They recover, while it goes on.
	p.sees("13 of its sites are down")
	host.SetStatus(http.StatusOK)
	for _, id := range append(ids, late...) {
		s.hurry(t, id)
	}
	p.sees("0 of its sites are down")
	p.until("it goes on, with outages that are over", `document.querySelector('section[aria-label=Over] .incident')?.innerText.includes('goes on')`)
	begin := time.Now()
	t.Parallel() // goes on when all stories before and after this one are over
	p.seesItOver(begin)
}

// seesItOver waits until the page says that the incident of which all sites are up since begin is over.
func (p *tab) seesItOver(begin time.Time) {
	p.t.Helper()
	for !eval[bool](p, `!!document.querySelector('section[aria-label=Over] .incident')?.innerText.includes('over since')`) {
		if time.Since(begin) > untilOver {
			p.t.Fatalf("the incident is not over; the page shows:\n%s", eval[string](p, `document.body.innerText`))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if n := eval[int](p, `document.querySelectorAll('section[aria-label=Open] .incident').length`); n != 0 {
		p.t.Errorf("%d incidents are among what is open", n)
	}
	p.press(eval[string](p, `document.querySelector('section[aria-label=Over] .incident button').innerText.trim()`))
	p.sees("shop-13")
	p.shot("over")
}
