package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/demo"
)

// mode is how WordPress.com treats a notification.
type mode string

const (
	well      mode = "accepts and says so"
	error500  mode = "says success with status 500"
	declines  mode = "says success is false"
	garbles   mode = "answers something that is no JSON"
	hangs     mode = "never answers"
	forgets   mode = "accepts and never answers"
	resets    mode = "accepts and resets the connection"
	redirects mode = "answers with a redirect to a success"
)

// accepts reports whether the notification takes effect.
func (m mode) accepts() bool { return m == well || m == forgets || m == resets }

// attempt is one request with a notification.
type attempt struct {
	key, data    string
	at           time.Time
	mode         mode
	notification demo.Notification
}

// inbox plays WordPress.com. It records each request, compares its form with v1's, and treats
// it by the script for the attempts of each notification, and then by mode.
type inbox struct {
	t      *testing.T
	server *httptest.Server
	over   chan struct{}

	mu       sync.Mutex
	mode     mode
	dice     func() mode // draws the treatment instead, unless nil
	script   []mode
	since    int // attempts before the script began
	attempts []attempt
}

func newInbox(t *testing.T) *inbox {
	b := &inbox{t: t, mode: well, over: make(chan struct{})}
	b.server = httptest.NewServer(b)
	t.Cleanup(func() {
		close(b.over)
		b.server.Close()
	})
	return b
}

// URL is the address for notifications.
func (b *inbox) URL() string { return b.server.URL + "/jetmon/" }

// become sets the treatment of notifications from now on.
func (b *inbox) become(m mode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = m
}

// draw draws the treatment of each notification from now on.
func (b *inbox) draw(dice func() mode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dice = dice
}

// play treats the next attempts of each notification by script, and accepts later ones.
func (b *inbox) play(script ...mode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode, b.script, b.since = well, script, len(b.attempts)
}

// ServeHTTP receives one notification.
func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch a := b.take(r); a.mode {
	case well:
		_, _ = io.WriteString(w, `{"success":true}`)
	case error500:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"success":true}`)
	case declines:
		_, _ = io.WriteString(w, `{"success":false,"data":"not today"}`)
	case garbles:
		_, _ = io.WriteString(w, `<html>{"success":true}`)
	case redirects:
		http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusFound)
	case hangs, forgets:
		select {
		case <-r.Context().Done():
		case <-b.over:
		}
	case resets, dead:
		reset(w)
	}
}

// take records a request and decides its mode.
func (b *inbox) take(r *http.Request) attempt {
	a := attempt{key: r.Header.Get("Idempotency-Key"), data: r.URL.Query().Get("data"), at: time.Now()}
	if err := v1Form(r, a.data); err != nil {
		b.t.Errorf("a notification is not in v1's form: %v: %s", err, a.data)
	}
	if err := json.Unmarshal([]byte(a.data), &a.notification); err != nil {
		b.t.Errorf("a notification cannot be read: %v: %s", err, a.data)
	}
	if a.key == "" {
		b.t.Errorf("a notification has no Idempotency-Key: %s", a.data)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	earlier := 0
	for _, other := range b.attempts[b.since:] {
		if other.key == a.key {
			earlier++
		}
	}
	a.mode = b.mode
	if b.dice != nil {
		a.mode = b.dice()
	}
	if earlier < len(b.script) {
		a.mode = b.script[earlier]
	}
	b.attempts = append(b.attempts, a)
	return a
}

// all lists the requests so far.
func (b *inbox) all() []attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.attempts)
}

// told lists the notifications that took effect, each once, in the order of their first time.
func (b *inbox) told() []attempt {
	var list []attempt
	for _, a := range b.all() {
		if a.mode.accepts() && !slices.ContainsFunc(list, func(o attempt) bool { return o.key == a.key }) {
			list = append(list, a)
		}
	}
	return list
}

// awaitTold waits until exactly these statuses of a URL were sent, in this order.
func (b *inbox) awaitTold(t *testing.T, url string, within time.Duration, want ...int) []attempt {
	t.Helper()
	var list []attempt
	await(t, fmt.Sprintf("WordPress.com is told %v of %s", want, url), within, func() bool {
		list = b.of(url)
		return len(list) >= len(want)
	})
	b.isTold(t, url, want...)
	return list
}

// isTold checks that exactly these statuses of a URL were sent.
func (b *inbox) isTold(t *testing.T, url string, want ...int) {
	t.Helper()
	got := []int{}
	for _, a := range b.of(url) {
		got = append(got, a.notification.StatusID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("WordPress.com was told %v of %s, want %v", got, url, want)
	}
}

func (b *inbox) of(url string) []attempt {
	return slices.DeleteFunc(b.told(), func(a attempt) bool { return a.notification.MonitorURL != url })
}

// v1Form describes how a request differs from v1's in its keys and their order.
func v1Form(r *http.Request, data string) error {
	if r.Method != http.MethodGet || len(r.URL.Query()) != 1 {
		return fmt.Errorf("%s with %d parameters, want GET with data only", r.Method, len(r.URL.Query()))
	}
	keys, members, err := object([]byte(data))
	if err != nil {
		return err
	}
	if want := "blog_id monitor_url status_id last_check last_status_change checks token"; keys != want {
		return fmt.Errorf("the keys are %q, want %q", keys, want)
	}
	var checks []json.RawMessage
	if err := json.Unmarshal(members["checks"], &checks); err != nil {
		return err
	}
	for _, c := range checks {
		keys, members, err := object(c)
		if err != nil {
			return err
		}
		want := "type host status rtt code error_code"
		if string(members["type"]) == "2" {
			want = "type host status rtt code" // as v1's verifliers
		}
		if keys != want {
			return fmt.Errorf("the keys of a check are %q, want %q", keys, want)
		}
	}
	return nil
}

// object lists the keys of a JSON object in order, and its members.
func object(text []byte) (string, map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return "", nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return "", nil, err
	}
	var keys []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", nil, err
		}
		keys = append(keys, fmt.Sprint(key))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return "", nil, err
		}
	}
	return strings.Join(keys, " "), members, nil
}
