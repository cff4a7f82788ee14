//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// network has the addresses of the host that fails; hosts is the number of the others.
const (
	network = "127.99.7."
	hosts   = 50
)

// world is what the system sees of the Internet.
type world struct {
	plan      plan
	wordpress *wordpress
	operators *operators
	// sites serves all sites; at has the addresses of the failing host, elsewhere those of others.
	sites         *http.Server
	at, elsewhere []string
	failing       atomic.Bool

	mu sync.Mutex
	// asked is when a site was asked last, by id; gap the longest time between two checks of a
	// site that works, since measuring is set.
	asked     []time.Time
	gap       time.Duration
	measuring time.Time
}

func newWorld(p plan) (*world, error) {
	w := &world{plan: p, wordpress: &wordpress{first: map[string]note{}}, operators: &operators{}, asked: make([]time.Time, 1+p.sites+p.others)}
	w.sites = &http.Server{Handler: w, ReadHeaderTimeout: time.Minute}
	var err error
	if w.at, err = w.serve(p.addresses, func(i int) string { return network + fmt.Sprint(i+1) }); err == nil {
		w.elsewhere, err = w.serve(hosts, func(i int) string { return fmt.Sprintf("127.98.%d.1", i) })
	}
	if err != nil {
		w.close()
		return nil, err
	}
	for _, r := range []interface{ listen() error }{w.wordpress, w.operators} {
		if err := r.listen(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// serve serves sites at some addresses.
func (w *world) serve(n int, address func(int) string) (at []string, err error) {
	for i := range n {
		one, err := serve(w.sites, address(i))
		if err != nil {
			return nil, err
		}
		at = append(at, one)
	}
	return at, nil
}

// serve serves on a free port of an address until the server is closed.
func serve(s *http.Server, address string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return "", err
	}
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), nil
}

func (w *world) close() {
	for _, s := range []*http.Server{w.sites, w.wordpress.server, w.operators.server} {
		if s != nil {
			_ = s.Close()
		}
	}
}

// fill writes the sites: those of the host that fails are the first.
func (w *world) fill(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	write := func(at []string, from, to int) error {
		for i, address := range at {
			if _, err := db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url)
	SELECT seq, seq, seq %% 512, CONCAT('http://%s/', seq) FROM seq_%d_to_%d WHERE seq %% %d = %d`, address, from, to, len(at), i)); err != nil {
				return fmt.Errorf("write the sites of %s: %w", address, err)
			}
		}
		return nil
	}
	if err := write(w.at, 1, w.plan.sites); err != nil {
		return err
	}
	return write(w.elsewhere, w.plan.sites+1, w.plan.sites+w.plan.others)
}

// ServeHTTP answers for a site.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || id < 1 || id >= len(w.asked) {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	now := time.Now()
	w.mu.Lock()
	if last := w.asked[id]; id > w.plan.sites && !w.measuring.IsZero() && !last.IsZero() {
		w.gap = max(w.gap, now.Sub(last))
	}
	w.asked[id] = now
	w.mu.Unlock()
	if id <= w.plan.sites && w.failing.Load() {
		out.WriteHeader(http.StatusServiceUnavailable)
	}
}

// unasked counts the sites that were not asked since a time.
func (w *world) unasked(since time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.asked[1:] {
		if at.Before(since) {
			n++
		}
	}
	return n
}

// measure begins to measure how punctual the checks of the sites that work are.
func (w *world) measure() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gap, w.measuring = 0, time.Now()
}

// longest is the longest time between two checks of a site that works.
func (w *world) longest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gap
}
