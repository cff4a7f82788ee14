//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

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
func (w *wordpress) count(status int) (n int) { return len(w.told(status)) }

// failures counts the attempts that were refused, and those that came again.
func (w *wordpress) failures() (refused, again int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused, w.again
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
