//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// host is the address of the host that fails; hosts is the number of the others.
const (
	host  = "127.99.7.1"
	hosts = 50
)

// world is what the system sees of the Internet.
type world struct {
	plan      plan
	wordpress *wordpress
	operators *operators
	// sites serves all sites; at has the address of each host, the failing one first.
	sites   *http.Server
	at      []string
	failing atomic.Bool

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
	for i := range 1 + hosts {
		address := host
		if i > 0 {
			address = fmt.Sprintf("127.98.%d.1", i)
		}
		at, err := serve(w.sites, address)
		if err != nil {
			w.close()
			return nil, err
		}
		w.at = append(w.at, at)
	}
	for _, r := range []interface{ listen() error }{w.wordpress, w.operators} {
		if err := r.listen(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
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
	const columns = "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) SELECT seq, seq, seq % 512, "
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, columns+fmt.Sprintf("CONCAT('http://%s/', seq) FROM seq_1_to_%d", w.at[0], w.plan.sites)); err != nil {
		return fmt.Errorf("write the sites: %w", err)
	}
	for i, at := range w.at[1:] {
		text := columns + fmt.Sprintf("CONCAT('http://%s/', seq) FROM seq_%d_to_%d WHERE seq %% %d = %d", at, w.plan.sites+1, w.plan.sites+w.plan.others, hosts, i)
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("write the other sites: %w", err)
		}
	}
	return nil
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

// note is a notification that WordPress.com accepted.
type note struct {
	url    string
	status int
	at     time.Time
}

// wordpress plays WordPress.com.
type wordpress struct {
	server  *http.Server
	address string
	away    atomic.Bool

	mu sync.Mutex
	// first has each notification by its key, order their keys as they came.
	first          map[string]note
	order          []string
	refused, again int
}

func (w *wordpress) url() string { return "http://" + w.address }

func (w *wordpress) listen() (err error) {
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: time.Minute}
	w.address, err = serve(w.server, "127.0.0.1")
	return err
}

// ServeHTTP takes a notification.
func (w *wordpress) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	now, key := time.Now(), r.Header.Get("Idempotency-Key")
	var data struct {
		URL    string `json:"monitor_url"`
		Status int    `json:"status_id"`
	}
	err := json.Unmarshal([]byte(r.URL.Query().Get("data")), &data)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch _, known := w.first[key]; {
	case err != nil || key == "" || w.away.Load():
		w.refused++
		out.WriteHeader(http.StatusServiceUnavailable)
		return
	case known:
		w.again++
	default:
		w.first[key] = note{data.URL, data.Status, now}
		w.order = append(w.order, key)
	}
	_, _ = io.WriteString(out, `{"success":true}`)
}

// count counts the notifications with a status.
func (w *wordpress) count(status int) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.first {
		if one.status == status {
			n++
		}
	}
	return n
}

// told lists the notifications with a status, by key.
func (w *wordpress) told(status int) map[string]note {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]note{}
	for key, one := range w.first {
		if one.status == status {
			all[key] = one
		}
	}
	return all
}

// histories lists the statuses that were told of each URL, in order.
func (w *wordpress) histories() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]string{}
	for _, key := range w.order {
		all[w.first[key].url] += strconv.Itoa(w.first[key].status)
	}
	return all
}

// message is what operators are told.
type message struct {
	ID       string `json:"event_id"`
	Type     string `json:"type"`
	Incident struct {
		Cause   string `json:"cause"`
		Value   string `json:"cause_value"`
		Members int    `json:"members,string"`
		Down    int    `json:"members_down,string"`
	} `json:"incident"`
	at time.Time
}

// operators play the operators' webhook.
type operators struct {
	server  *http.Server
	address string

	mu       sync.Mutex
	messages []message
	broken   error
}

func (o *operators) url() string { return "http://" + o.address }

func (o *operators) listen() (err error) {
	o.server = &http.Server{Handler: o, ReadHeaderTimeout: time.Minute}
	o.address, err = serve(o.server, "127.0.0.1")
	return err
}

// ServeHTTP takes a message.
func (o *operators) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	m := message{at: time.Now()}
	err := json.NewDecoder(r.Body).Decode(&m)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = errors.Join(o.broken, err)
	o.messages = append(o.messages, m)
}

// of lists the messages of a type.
func (o *operators) of(kind string) (all []message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		if m.Type == kind {
			all = append(all, m)
		}
	}
	return all
}
