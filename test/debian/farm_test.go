//go:build packaging

package debian

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/test/mariadb"
)

// farm is many web sites, each at an address of its own, that measure how long they wait for a
// check; and the WordPress.com that is told of them. Twice a second a site goes down, until it
// is calm; each comes back when WordPress.com knows.
type farm struct {
	urls      []string
	inbox     *demo.Inbox
	wordpress string // where notifications go
	calm      func()

	mu    sync.Mutex
	sites map[string]*plot // by URL
	fell  []string
}

// plot is one site of a farm.
type plot struct {
	asked time.Time // last; zero is never
	gap   time.Duration
	since time.Time // when the longest gap began
	down  bool
}

// newFarm opens sites in the network of the test and its machine.
func newFarm(t *testing.T, sites int) *farm {
	t.Helper()
	f := &farm{inbox: demo.NewInbox(), sites: map[string]*plot{}}
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	must(t, err)
	server := &http.Server{Handler: f}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	for i := range sites {
		url := fmt.Sprintf("http://127.%d.%d.1:%d/", 1+i/250, 1+i%250, l.Addr().(*net.TCPAddr).Port)
		f.urls, f.sites[url] = append(f.urls, url), &plot{}
	}
	wordpress := httptest.NewServer(f.inbox)
	t.Cleanup(wordpress.Close)
	f.wordpress = wordpress.URL + "/jetmon/"
	return f
}

// ServeHTTP answers for all sites.
func (f *farm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.sites["http://"+r.Host+r.URL.Path]
	if p == nil {
		http.NotFound(w, r)
		return
	}
	p.waited(time.Now())
	if p.down {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// waited ends a wait.
func (p *plot) waited(now time.Time) {
	if gap := now.Sub(p.asked); !p.asked.IsZero() && gap > p.gap {
		p.gap, p.since = gap, p.asked
	}
	p.asked = now
}

// sow writes the sites into the table, as WordPress.com does.
func (f *farm) sow(t *testing.T, s *mariadb.Server) {
	t.Helper()
	rows := make([]string, len(f.urls))
	for i, url := range f.urls {
		rows[i] = fmt.Sprintf("(%d,%d,%d,'%s')", i+1, i+1, i*37%512, url)
	}
	s.Query(t, "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) VALUES "+strings.Join(rows, ","))
}

// unasked counts the sites without a check since a moment.
func (f *farm) unasked(since time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.sites {
		if !p.asked.After(since) {
			n++
		}
	}
	return n
}

// blow lets a site go down twice a second, until calm or the end of the test.
func (f *farm) blow(t *testing.T) {
	t.Helper()
	over := make(chan struct{})
	var work sync.WaitGroup
	f.calm = sync.OnceFunc(func() { close(over); work.Wait() })
	work.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for _, url := range f.urls {
			select {
			case <-over:
				return
			case <-tick.C:
				f.mu.Lock()
				f.sites[url].down, f.fell = true, append(f.fell, url)
				f.mu.Unlock()
				f.mend()
			}
		}
	})
	t.Cleanup(f.calm)
}

// told returns the statuses that WordPress.com was told of each site, each once, and how often it
// was told again what it knew.
func (f *farm) told() (statuses map[string][]int, again int) {
	statuses = map[string][]int{}
	for _, r := range f.inbox.Notifications() {
		url := r.Notification.MonitorURL
		statuses[url] = append(statuses[url], r.Notification.StatusID)
		again += r.Repeats
	}
	return statuses, again
}

// mend lets the sites come back of which WordPress.com knows that they are down.
func (f *farm) mend() {
	statuses, _ := f.told()
	f.mu.Lock()
	defer f.mu.Unlock()
	for url, all := range statuses {
		if all[len(all)-1] == 0 {
			f.sites[url].down = false
		}
	}
}
