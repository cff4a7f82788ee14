package scenario

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// farm is many web sites on unrelated hosts: host i is 127.x.y.1. It records the time of each
// request.
type farm struct {
	server *http.Server
	hosts  []string // HOST:PORT

	mu    sync.Mutex
	plots map[string]*plot // by URL
	delay time.Duration
}

// plot is one site of a farm.
type plot struct {
	url    string
	status int
	asked  []time.Time
}

// newFarm opens the given number of hosts.
func newFarm(t *testing.T, hosts int) *farm {
	t.Helper()
	f := &farm{plots: map[string]*plot{}}
	f.server = &http.Server{Handler: f}
	var serving sync.WaitGroup
	for i := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", 1+i/250, 1+i%250))
		if err != nil {
			t.Fatal(err)
		}
		f.hosts = append(f.hosts, l.Addr().String())
		serving.Go(func() { _ = f.server.Serve(l) })
	}
	t.Cleanup(func() {
		_ = f.server.Close()
		serving.Wait()
	})
	return f
}

// sow adds a working site and returns its URL. number distinguishes the sites of a host.
func (f *farm) sow(number int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	url := fmt.Sprintf("http://%s/%d", f.hosts[number%len(f.hosts)], number)
	f.plots[url] = &plot{url: url, status: http.StatusOK}
	return url
}

// ServeHTTP answers for all sites.
func (f *farm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	p := f.plots["http://"+r.Host+r.URL.Path]
	status := http.StatusNotFound
	if p != nil {
		p.asked = append(p.asked, time.Now())
		status = p.status
	}
	delay := f.delay
	f.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	w.WriteHeader(status)
}

// become sets the answer of a site from now on.
func (f *farm) become(url string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plots[url].status = status
}

// answerAfter delays the answers of all sites from now on.
func (f *farm) answerAfter(delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = delay
}

// checks counts the requests to all sites.
func (f *farm) checks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.plots {
		n += len(p.asked)
	}
	return n
}

// asked lists the times of a site's requests.
func (f *farm) asked(url string) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.plots[url].asked)
}

// since lists the times of a site's requests after the given time.
func (f *farm) since(url string, moment time.Time) []time.Time {
	return slices.DeleteFunc(f.asked(url), func(at time.Time) bool { return !at.After(moment) })
}

// after returns the time of a site's first request after the given time, zero if there is none.
func (f *farm) after(url string, moment time.Time) time.Time {
	for _, at := range f.asked(url) {
		if at.After(moment) {
			return at
		}
	}
	return time.Time{}
}

// gap returns the longest time without a request to one of the sites between two moments,
// with that site and the beginning of the gap.
func (f *farm) gap(urls []string, from, to time.Time) (worst time.Duration, url string, since time.Time) {
	for _, u := range urls {
		last := from
		for _, at := range append(f.asked(u), to) {
			if at.Before(from) || at.After(to) {
				continue
			}
			if d := at.Sub(last); d > worst {
				worst, url, since = d, u, last
			}
			last = at
		}
	}
	return worst, url, since
}

// awaitAll waits until each of the sites got a request since the given time.
func (f *farm) awaitAll(t *testing.T, what string, urls []string, since time.Time, within time.Duration) {
	t.Helper()
	await(t, what, within, func() bool {
		return !slices.ContainsFunc(urls, func(u string) bool { return f.after(u, since).IsZero() })
	})
}

// row is a site as WordPress.com writes it into the table.
type row struct {
	id, blog, bucket int
	url              string
}

// insert returns the SQL that adds sites.
func insert(rows []row) string {
	var b strings.Builder
	for part := range slices.Chunk(rows, 500) {
		b.WriteString("INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) VALUES ")
		for i, r := range part {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("(" + strconv.Itoa(r.id) + "," + strconv.Itoa(r.blog) + "," + strconv.Itoa(r.bucket) + ",'" + r.url + "')")
		}
		b.WriteString(";\n")
	}
	return b.String()
}
