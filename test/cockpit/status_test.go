package cockpit

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestAPublicStatusPage(t *testing.T) {
	s := running(t)
	site, other := fakesite.New(t), fakesite.New(t)
	down := s.site(t, site.URL()+`secret?<script>pwned(1)</script>`, map[string]any{"tags": []string{"status-story"}, "public_badges": true})
	s.site(t, other.URL(), map[string]any{"tags": []string{"status-story"}})
	work := time.Now().UTC().AddDate(0, 1, 0).Truncate(time.Minute)
	made := s.call(t, "POST", "/v1/maintenances", map[string]any{
		"name": "<script>pwned(2)</script>", "tag": "status-story", "start_time": work.Format(time.RFC3339), "duration": "3600s",
	})
	t.Cleanup(func() { s.call(t, "DELETE", "/v1/maintenances/"+text(made["maintenance_id"]), nil) })
	s.state(t, down, "SITE_STATE_UP")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(s.token(t, "sites:read", "outages:read")), 0o600); err != nil {
		t.Fatal(err)
	}
	url, err := s.startGateway("--listen=127.0.0.1:0", "--status-page=story=status-story,<b>Our</b> shops", "--status-token-file="+file)
	if err != nil {
		t.Fatal(err)
	}
	p := openAt(t, url, "", "/status/story")
	for _, want := range []string{"<b>Our</b> shops", "All is well.", "127.0.0.1", "90 days", work.Format("2 Jan 2006, 15:04 UTC"), "No outage has ended."} {
		p.sees(want)
	}
	if n := eval[int](p, `document.querySelectorAll('.sites li').length`); n != 1 {
		t.Errorf("%d sites", n)
	}
	if n := eval[int](p, `document.scripts.length`); n != 0 {
		t.Errorf("%d scripts", n)
	}
	p.seesNot("secret")
	p.audit()
	// Another gateway makes its first page while the site is down.
	site.SetStatus(http.StatusInternalServerError)
	s.hurry(t, down)
	s.state(t, down, "SITE_STATE_DOWN", "SITE_STATE_CONFIRMED_DOWN")
	if url, err = s.startGateway("--listen=127.0.0.1:0", "--status-page=story=status-story", "--status-token-file="+file); err != nil {
		t.Fatal(err)
	}
	q := openAt(t, url, "", "/status/story")
	q.sees("One site is down.")
	q.sees("down since")
	q.audit()
}
