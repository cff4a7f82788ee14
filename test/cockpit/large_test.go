package cockpit

import (
	"database/sql"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite"
)

var (
	largeSites = flag.Int("sites", 5_000, "sites of the list that does not grow; 1000000 takes some minutes")
	largePages = flag.Int("pages", 50, "pages of it that are walked through")
)

// large starts a system with so many sites, which nobody checks, and opens a tab on its list.
func large(t *testing.T, sites int) *tab {
	t.Helper()
	running(t) // has built the program
	file := filepath.Join(t.TempDir(), "large.db")
	if _, err := output("migrate", "--db=sqlite:"+file); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // which has these settings; a database that is lost with the machine is of no use
	_, err = db.ExecContext(t.Context(), `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) SELECT i, i % 512, 'https://site-' || i || '.example/' FROM n`, sites)
	if closeErr := db.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	return another(t, file, "/ui/sites", "--no-history")
}

// another starts a coordinator on a database, with more flags, and a gateway, without a checker, and
// opens a tab at a path of it.
func another(t *testing.T, file, path string, flags ...string) *tab {
	t.Helper()
	running(t) // has made the tokens of roles
	own := func(role string) string { return filepath.Join(workDir, role+".token") }
	addr, err := launch(append([]string{
		"coordinator", "--node=another", "--db=sqlite:" + file, "--no-notify", "--rate-limit=0", "--listen=127.0.0.1:0", "--veriflier=name=v,region=r,addr=127.0.0.1:1",
		"--token-file=" + filepath.Join(workDir, "accepted"), "--veriflier-token-file=" + own("coordinator"),
	}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := output("tokens", "create", "--db=sqlite:"+file, "--name=everything", "--scope=admin")
	if err != nil {
		t.Fatal(err)
	}
	s := &system{gatewayFlags: []string{"gateway", "--coordinator=" + addr, "--coordinator-token-file=" + own("gateway")}}
	if s.url, err = s.startGateway("--listen=127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return openAt(t, s.url, tokenIn.FindString(admin), path)
}

// usage is what a page holds.
type usage struct{ nodes, listeners, heap float64 }

func (u usage) String() string {
	return fmt.Sprintf("%.0f nodes, %.0f listeners, %.1f MB of heap", u.nodes, u.listeners, u.heap/1e6)
}

// exceeds tells whether it is more than another one, and not by chance.
func (u usage) exceeds(o usage) bool {
	return u.nodes > 1.2*o.nodes+200 || u.listeners > 1.2*o.listeners+20 || u.heap > 1.2*o.heap+1e6
}

// used measures what the page holds, without what is waste.
func (p *tab) used() (u usage) {
	p.t.Helper()
	tell(p, heapprofiler.CollectGarbage, cdp.Empty{})
	got, err := chromedp.Call(p.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range got.Metrics {
		switch m.Name {
		case "Nodes":
			u.nodes = m.Value
		case "JSEventListeners":
			u.listeners = m.Value
		case "JSHeapUsedSize":
			u.heap = m.Value
		}
	}
	return u
}

// A list is walked through page by page, and the page that shows it holds no more at the end.
func TestALongListDoesNotGrow(t *testing.T) {
	p := large(t, *largeSites)
	tell(p, performance.Enable, performance.EnableParams{})
	const warm = 10 // pages after which all has been used once
	p.until("the first page is there", `document.querySelectorAll('tbody tr').length === 50`)
	walk := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			p.press("Next")
			p.until(fmt.Sprintf("page %d is there", n+1), fmt.Sprintf(`document.querySelector('.pager span').innerText === 'Page %d' && document.querySelector('tbody a').innerText === 'https://site-%d.example/'`, n+1, n*50+1))
		}
	}
	walk(1, warm)
	before := p.used()
	walk(warm, *largePages)
	after := p.used()
	for end := time.Now().Add(5 * time.Second); after.exceeds(before) && time.Now().Before(end); after = p.used() {
		time.Sleep(200 * time.Millisecond) // the browser lets the page before go when it has time
	}
	t.Logf("%d sites: after %d pages %s, after %d pages %s", *largeSites, warm, before, *largePages, after)
	if rows := eval[int](p, `document.querySelectorAll('tbody tr').length`); rows != 50 {
		t.Errorf("%d rows are on the page", rows)
	}
	if after.exceeds(before) {
		t.Errorf("it grew from %s to %s", before, after)
	}
	p.press("Previous")
	p.sees(fmt.Sprintf("https://site-%d.example/", (*largePages-2)*50+1))
}
