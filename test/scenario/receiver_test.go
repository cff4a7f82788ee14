package scenario

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// receipt is one attempt to tell a receiver something. It has no key when it was refused before
// that was known.
type receipt struct {
	key, body string
	mode      mode
	at        time.Time
}

// ledger is what a receiver got, and how it treats what comes. Its methods are safe for
// concurrent use.
type ledger struct {
	name string

	mu     sync.Mutex
	random *rand.Rand
	// sick is the share of attempts that fail; dead means that all do.
	sick     float64
	dead     bool
	receipts []receipt
	// wrong is what is not in order about what came.
	wrong []string
}

func newLedger(name string, seed uint64) *ledger {
	return &ledger{name: name, random: rand.New(rand.NewPCG(seed, uint64(len(name))))}
}

// treat draws how the next attempt is treated.
func (l *ledger) treat() mode {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.dead:
		return dead
	case l.random.Float64() < l.sick:
		return []mode{error500, resets, forgets}[l.random.IntN(3)]
	}
	return well
}

// dead is the treatment by an endpoint that is not there.
const dead mode = "resets the connection and accepts nothing"

// note keeps an attempt.
func (l *ledger) note(r receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.at = time.Now()
	l.receipts = append(l.receipts, r)
}

// complain keeps what is wrong with an attempt.
func (l *ledger) complain(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, what)
}

// become sets which share of the attempts fails from now on.
func (l *ledger) become(sick float64, dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sick, l.dead = sick, dead
}

// all lists the attempts so far.
func (l *ledger) all() []receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.receipts)
}

// told lists the keys of what was accepted, each once, in the order of their first time. It
// fails the test if one key came with two bodies.
func (l *ledger) told(t *testing.T) (keys []string) {
	t.Helper()
	bodies, seen := map[string]string{}, map[string]bool{}
	for _, r := range l.all() {
		if r.key == "" {
			if r.mode.accepts() {
				t.Errorf("%s accepted what has no key: %s", l.name, r.body)
			}
			continue
		}
		if before, again := bodies[r.key]; again && before != r.body {
			t.Errorf("%s: the key %s came with two bodies:\n%s\n%s", l.name, r.key, before, r.body)
		}
		bodies[r.key] = r.body
		if r.mode.accepts() && !seen[r.key] {
			seen[r.key], keys = true, append(keys, r.key)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 {
		t.Errorf("%s: %d attempts are not in order, as: %s", l.name, len(l.wrong), l.wrong[0])
	}
	return keys
}

// hook is the endpoint of a subscription over HTTP.
type hook struct {
	*ledger
	server *httptest.Server
	over   chan struct{}
	// read returns the body as it is compared, and what is wrong with it.
	read func(r *http.Request, body []byte) (string, error)
	// answer, unless nil, answers what is accepted.
	answer func(w http.ResponseWriter, body string)
}

func newHook(t *testing.T, l *ledger, read func(*http.Request, []byte) (string, error)) *hook {
	t.Helper()
	h := &hook{ledger: l, over: make(chan struct{}), read: read}
	h.server = httptest.NewServer(h)
	t.Cleanup(func() {
		close(h.over)
		h.server.Close()
	})
	return h
}

// ServeHTTP receives one attempt.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever sent it was killed
	}
	body, err := h.read(r, text)
	if err != nil {
		h.complain(err.Error())
	}
	m := h.treat()
	h.note(receipt{key: r.Header.Get("Idempotency-Key"), body: body, mode: m})
	switch m {
	case error500:
		w.WriteHeader(http.StatusInternalServerError)
	case forgets:
		select {
		case <-r.Context().Done():
		case <-h.over:
		}
	case resets, dead:
		reset(w)
	default:
		if h.answer != nil {
			h.answer(w, body)
		}
	}
}

// reset resets the connection of a request.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
