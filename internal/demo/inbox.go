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
	// maxKept is how many notices the inbox remembers.
	maxKept = 1000
	// maxDataBytes bounds one notice.
	maxDataBytes = 16 << 10
)

// success is what a healthy WordPress.com answers.
const success = `{"success":true}`

// Inbox is a WordPress.com that takes notices and lists them:
//
//	GET <any path>?data=<notice>   takes one, answers {"success":true}
//	GET /inbox                     the last 1,000 as a JSON array, the newest last
//	GET /                          the same to look at
//
// It does not ask for the token, and keeps none. NewInbox makes one; its methods are
// safe for concurrent use.
type Inbox struct {
	mu   sync.Mutex
	list []*Received
	// byKey finds those of list that have a key.
	byKey map[string]*Received
	// changed is closed, and replaced, at each change of list.
	changed chan struct{}

	// How to play sick: the next fails are refused, the answers of the next loses are
	// lost, and then status and body are the answer, unless status is 0.
	fails, loses int
	status       int
	body         string
	refused      int

	html *template.Template
}

// NewInbox makes an empty inbox that is well.
func NewInbox() *Inbox {
	return &Inbox{
		byKey:   make(map[string]*Received),
		changed: make(chan struct{}),
		html:    template.Must(template.New("inbox").Parse(inboxPage)),
	}
}

// Notices returns what was accepted, the newest last.
func (b *Inbox) Notices() []Received {
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

// Refused returns how many requests with a notice were not answered with success.
func (b *Inbox) Refused() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

// Wait returns when done says so of the accepted notices, which it is asked at once
// and after each change, or with ctx's error when ctx ends.
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

// FailNext refuses the next n notices with 503; they are not kept.
func (b *Inbox) FailNext(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = n
}

// LoseNext keeps the next n notices and closes the connection without an answer.
func (b *Inbox) LoseNext(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loses = n
}

// SetAnswer answers every notice with status and body from now on, and keeps it only
// if that is 200 with {"success":true}. Status 0 makes the inbox well again.
func (b *Inbox) SetAnswer(status int, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.body = status, body
}

// ServeHTTP is what the type's comment says.
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
		// The status is sent by now; whoever has gone needs no error.
		_ = json.NewEncoder(w).Encode(b.Notices())
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
		b.refuse(w, "data stands in the URL more than once")
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
		// net/http closes the connection without a word and without a stack trace.
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// refuse answers what is not a notice.
func (b *Inbox) refuse(w http.ResponseWriter, why string) {
	b.mu.Lock()
	b.refused++
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "data": why})
}

// take decides what to answer to a notice, and keeps it if that is success. Status 0
// is no answer.
func (b *Inbox) take(n Notice, key string) (status int, body string) {
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

// keep adds a notice, or counts its repetition.
func (b *Inbox) keep(n Notice, key string) {
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
	r := &Received{Key: key, ReceivedTime: time.Now().UTC(), Notice: n}
	b.list = append(b.list, r)
	if key != "" {
		b.byKey[key] = r
	}
}
