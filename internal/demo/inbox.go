package demo

import (
	"context"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxKept is how many notifications the inbox remembers.
	maxKept = 1000
	// maxDataBytes limits the size of one notification.
	maxDataBytes = 16 << 10
)

// success is the answer of a healthy WordPress.com.
const success = `{"success":true}`

// Inbox is a WordPress.com that accepts notifications and lists them:
//
//	GET <any path>?data=<notification>   accepts one, answers {"success":true}
//	GET /inbox                           the last 1,000 as a JSON array, the newest last
//	GET /                                the same as a web page
//
// It does not check the token, and keeps none. NewInbox makes one; its methods are safe
// for concurrent use.
type Inbox struct {
	mu   sync.Mutex
	list []*Received
	// byKey finds the entries of list that have a key.
	byKey map[string]*Received
	// changed is closed and replaced at each change of list.
	changed chan struct{}

	// These make the inbox fail. It refuses the next fails notifications and loses the answers
	// to the next loses. After that it answers with status and body, unless status is 0.
	fails, loses int
	status       int
	body         string
	refused      int

	html *template.Template
}

// NewInbox makes an empty, healthy inbox.
func NewInbox() *Inbox {
	return &Inbox{
		byKey:   make(map[string]*Received),
		changed: make(chan struct{}),
		html:    template.Must(template.New("inbox").Parse(inboxPage)),
	}
}

// Notifications returns the accepted notifications, the newest last.
func (b *Inbox) Notifications() []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snapshot()
}

func (b *Inbox) snapshot() []Received {
	list := make([]Received, len(b.list))
	for i, r := range b.list {
		list[i] = *r
	}
	return list
}

// Refused returns the number of notifications that were not answered with success.
func (b *Inbox) Refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// Wait returns when done returns true for the accepted notifications. It calls done at once
// and after each change. It returns ctx's error when ctx ends first.
func (b *Inbox) Wait(ctx context.Context, done func([]Received) bool) error {
	for {
		b.mu.Lock()
		list, changed := b.snapshot(), b.changed
		b.mu.Unlock()
		if done(list) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// FailNext makes the inbox refuse the next n notifications with 503, without keeping them.
func (b *Inbox) FailNext(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = n
}

// LoseNext makes the inbox keep the next n notifications, but close the connection without
// an answer.
func (b *Inbox) LoseNext(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loses = n
}

// SetAnswer makes the inbox answer every notification with status and body from now on. It
// keeps a notification only if that is 200 with {"success":true}. Status 0 makes it healthy
// again.
func (b *Inbox) SetAnswer(status int, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.body = status, body
}

// ServeHTTP serves the requests in the comment of Inbox.
func (b *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch q := r.URL.Query(); {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case q.Has("data") && r.Method == http.MethodGet:
		b.receive(w, q["data"], r.Header.Get("Idempotency-Key"))
	case r.URL.Path == "/inbox":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// The status has been sent; a client that has gone needs no error.
		_ = json.NewEncoder(w).Encode(b.Notifications())
	case r.URL.Path == "/":
		b.page(w)
	default:
		http.NotFound(w, r)
	}
}

// receive answers a request with data parameters.
func (b *Inbox) receive(w http.ResponseWriter, data []string, key string) {
	switch {
	case len(data) != 1:
		b.refuse(w, "data occurs in the URL more than once")
		return
	case len(data[0]) > maxDataBytes:
		b.refuse(w, "data is too long")
		return
	}
	n, err := parse(data[0])
	if err != nil {
		b.refuse(w, err.Error())
		return
	}
	status, body := b.take(n, key)
	if status == 0 {
		// This makes net/http close the connection without an answer or a stack trace.
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// refuse answers a request that is not a valid notification.
func (b *Inbox) refuse(w http.ResponseWriter, why string) {
	b.mu.Lock()
	b.refused++
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "data": why})
}

// take decides the answer to a notification, and keeps the notification if that is success.
// Status 0 means no answer.
func (b *Inbox) take(n Notification, key string) (status int, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.fails > 0:
		b.fails--
		b.refused++
		return http.StatusServiceUnavailable, `{"success":false,"data":"the inbox plays sick"}`
	case b.loses > 0:
		b.loses--
		b.refused++
		b.keep(n, key)
		return 0, ""
	case b.status != 0 && (b.status != http.StatusOK || b.body != success):
		b.refused++
		return b.status, b.body
	}
	b.keep(n, key)
	return http.StatusOK, success
}

// keep adds a notification, or counts its repetition.
func (b *Inbox) keep(n Notification, key string) {
	defer func() {
		close(b.changed)
		b.changed = make(chan struct{})
	}()
	if r := b.byKey[key]; r != nil {
		r.Repeats++
		return
	}
	if len(b.list) == maxKept {
		delete(b.byKey, b.list[0].Key)
		b.list = slices.Delete(b.list, 0, 1)
	}
	r := &Received{Key: key, ReceivedTime: time.Now().UTC(), Notification: n}
	b.list = append(b.list, r)
	if key != "" {
		b.byKey[key] = r
	}
}
