package scenario

import (
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// The pages of a site that answers HEAD with 200 whatever its page is.
const (
	healthyPage = "<!DOCTYPE html><title>A site</title><p>Hello.</p>"
	fatalPage   = `<!DOCTYPE html><html lang="fr-FR"><head><title>WordPress &rsaquo; Erreur</title></head><body id="error-page">
	<div class="wp-die-message"><p>Il y a eu une erreur critique sur ce site.</p></div></body></html>`
)

// showing serves the page of the moment.
func showing(t *testing.T) (*fakesite.Site, *atomic.Value) {
	t.Helper()
	target, page := fakesite.New(t), new(atomic.Value)
	page.Store(healthyPage)
	target.SetHandler(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Method == http.MethodGet {
			fmt.Fprint(w, page.Load())
		}
	})
	return target, page
}

// TestABrokenPageBehindAGoodStatusIsAnOutage breaks and mends a page, and then empties it.
func TestABrokenPageBehindAGoodStatusIsAnOutage(t *testing.T) {
	t.Parallel()
	tell(t, setup{}, func(t *testing.T, s system) {
		target, page := showing(t)
		created := s.rest.create(t, target.URL(), 42)
		id, url := created.SiteID, created.URL
		s.rest.patch(t, id, `{"settings": {"page_check": "PAGE_CHECK_ALWAYS"}}`)
		s.rest.awaitState(t, id, "UP")
		s.checkedAgain(t, id, 1) // the page is known to be filled from here on
		told := []int{0}
		for _, broken := range []string{fatalPage, ""} {
			page.Store(broken)
			s.hurry(t, id)
			s.inbox.awaitTold(t, url, 2*toldDown, told...)
			if o := s.rest.outage(t, s.rest.site(t, id).OutageID); o.Failure != "FAILURE_KIND_CONTENT" || o.HTTPStatus != 200 || len(o.Votes) != 3 {
				t.Errorf("the outage is %+v", o)
			}
			page.Store(healthyPage)
			s.hurry(t, id)
			told = append(told, 1)
			s.inbox.awaitTold(t, url, 2*toldUp, told...)
			told = append(told, 0)
			s.checkedAgain(t, id, 2)
		}
	}, inProcess(), asDev(), asRoles())
}

// TestPagesAreNotJudgedWhereTheyAreOff shows what v1 saw: nothing.
func TestPagesAreNotJudgedWhereTheyAreOff(t *testing.T) {
	t.Parallel()
	tell(t, setup{flags: []string{"--page-check=off"}}, func(t *testing.T, s system) {
		target, page := showing(t)
		page.Store(fatalPage)
		id := s.rest.create(t, target.URL(), 42).SiteID
		s.rest.patch(t, id, `{"settings": {"page_check": "PAGE_CHECK_ALWAYS"}}`)
		s.rest.awaitState(t, id, "UP")
		begin := time.Now()
		s.checkedAgain(t, id, 3)
		if now := s.rest.site(t, id); now.State != "SITE_STATE_UP" {
			t.Errorf("after %s the site is %+v", time.Since(begin), now)
		}
	}, asRoles())
}

// TestDevJudgesPagesAsItIsTold runs `jetmon dev` with each --page-check, and reads what the
// checkers count.
func TestDevJudgesPagesAsItIsTold(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]struct{ state, counted string }{
		"off":    {"UP", ""},
		"advise": {"UP", "broken"},
		"down":   {"DOWN", "broken"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			takePlace(t)
			b := newInbox(t)
			h := startDevWith(t, b, "--site="+fakesite.New(t).URL(), "--interval=1s", "--recheck=1s", "--page-check="+rule, "--debug-listen=127.0.0.1:0")
			s := system{harness: h, rest: rest{h.restURL()}, inbox: b}
			s.complete(t)
			target, page := showing(t)
			page.Store(fatalPage)
			id := s.rest.create(t, target.URL(), 42).SiteID
			s.rest.patch(t, id, `{"settings": {"page_check": "PAGE_CHECK_ALWAYS"}}`)
			s.rest.awaitState(t, id, want.state)
			s.checkedAgain(t, id, 3)
			s.rest.awaitState(t, id, want.state)
			judged := map[string]bool{}
			for _, found := range pagesCounted.FindAllStringSubmatch(s.metrics(t), -1) {
				judged[found[1]] = judged[found[1]] || found[2] != "0"
			}
			if len(judged) != 4 || judged["broken"] != (want.counted == "broken") {
				t.Errorf("the page checks are %v", judged)
			}
		})
	}
}

// pagesCounted finds the page checks of each checker.
var pagesCounted = regexp.MustCompile(`(?m)^jetmon_checker_page_checks_total\{checker="[^"]+",verdict="([a-z]+)"\} (\d+)$`)
