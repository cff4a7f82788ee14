package cockpit

import (
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
)

// An owner has a token for one blog: the pages show its site, the one of another owner does not exist,
// and nothing that is offered is refused.
func TestAnOwnerSeesTheSitesOfOneBlog(t *testing.T) {
	s := running(t)
	mine, other := fakesite.New(t), fakesite.New(t)
	id, outage := s.down(t, mine, map[string]any{"blog_id": 811, "tags": []string{"owner"}})
	theirs, theirOutage := s.down(t, other, map[string]any{"blog_id": 812, "tags": []string{"owner"}})
	scopes := []string{"sites:read", "outages:read", "checks:run", "sites:write", "notifications:manage"}
	made := s.call(t, "POST", "/v1/tokens", map[string]any{"name": "owner", "scopes": scopes, "blog_ids": []string{"811"}})
	p := s.open(t, text(made["secret"]), "/ui/")
	p.until("a page is open", `document.querySelector('h1')?.innerText`)
	for _, path := range []string{"/ui/outages", "/ui/sites", "/ui/sites?state=SITE_STATE_DOWN", "/ui/sites/" + id, "/ui/outages/" + outage, "/ui/try", "/ui/diagnose"} {
		p.visit(path)
		p.until(path+" is there", `document.querySelector('h1') && !document.querySelector('.waiting')`)
		if problem := eval[string](p, `document.querySelector('.problem')?.innerText ?? ''`); problem != "" {
			t.Errorf("%s says: %s", path, problem)
		}
		p.seesNot(other.URL())
	}
	p.visit("/ui/sites")
	p.sees(mine.URL())
	p.visit("/ui/outages")
	p.sees(mine.URL())
	p.forgive("status of 404")
	p.visit("/ui/sites/" + theirs)
	p.sees("That did not work")
	p.visit("/ui/outages/" + theirOutage)
	p.sees("That did not work")
}
