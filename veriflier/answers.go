package veriflier

import (
	"container/list"
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	veriflierv1 "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// keepFor is how long an answer is given again to the same request id.
	keepFor = time.Minute
	// Answers are forgotten earlier, oldest first, when there are too many of them or
	// they are too large: memory is bounded, and a repeated question is only a second check.
	maxAnswers     = 20_000
	maxAnswerBytes = 16 << 20

	retryDelay = time.Second
)

// flight is one check, running or ended.
type flight struct {
	id     string
	digest [sha256.Size]byte

	// ctx is the check's; cancel is safe to call at any time.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// done is closed when answer or err stands.
	done   chan struct{}
	answer *veriflierv1.VerifyResponse
	err    error

	// The rest is guarded by answers.mu.
	waiters int
	ended   time.Time
	size    int
}

// answers knows the running checks and the answers of the last minute by request id.
// Nothing in it waits: the lock is held for map operations only.
type answers struct {
	limit int
	// running is added to under mu only, and never after close: Wait may follow it.
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	count  int // of running flights
	byID   map[string]*flight
	ended  *list.List // of *flight, oldest first
	bytes  int        // wire size of all in ended
}

func newAnswers(limit int) *answers {
	return &answers{limit: limit, byID: make(map[string]*flight), ended: list.New()}
}

// join finds the flight of a request, or makes one that the caller must start. Who
// joined must leave.
func (a *answers) join(base context.Context, id string, digest [sha256.Size]byte, now time.Time) (f *flight, started bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	if f := a.byID[id]; f != nil {
		if f.digest != digest {
			return nil, false, fault.InvalidField("request_id", "was given with another target within the last minute")
		}
		f.waiters++
		return f, false, nil
	}
	switch {
	case a.closed:
		return nil, false, draining()
	case a.count >= a.limit:
		return nil, false, fault.New(fault.Exhausted, "%d checks are running, the most that this veriflier runs at once", a.count).
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	}
	f = &flight{id: id, digest: digest, done: make(chan struct{}), waiters: 1}
	f.ctx, f.cancel = context.WithCancelCause(base)
	a.byID[id] = f
	a.count++
	a.running.Add(1)
	return f, true, nil
}

// leave takes a waiter away. The last one to leave a running check ends it, and its id
// is free again.
func (a *answers) leave(f *flight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f.waiters--
	if f.waiters > 0 || !f.ended.IsZero() {
		return
	}
	f.cancel(errAbandoned)
	if a.byID[f.id] == f {
		delete(a.byID, f.id)
	}
}

// end gives the result to all who wait, and keeps an answer for those who ask again.
func (a *answers) end(f *flight, answer *veriflierv1.VerifyResponse, err error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	defer a.running.Done()
	f.answer, f.err, f.ended = answer, err, now
	close(f.done)
	f.cancel(nil)
	switch {
	case a.byID[f.id] != f: // abandoned
	case err != nil:
		delete(a.byID, f.id)
	default:
		f.size = proto.Size(answer)
		a.bytes += f.size
		a.ended.PushBack(f)
		a.forget(now)
	}
}

// forget drops the answers that are too old or too many.
func (a *answers) forget(now time.Time) {
	for e := a.ended.Front(); e != nil; e = a.ended.Front() {
		f := e.Value.(*flight)
		if a.ended.Len() <= maxAnswers && a.bytes <= maxAnswerBytes && now.Sub(f.ended) < keepFor {
			return
		}
		a.ended.Remove(e)
		a.bytes -= f.size
		delete(a.byID, f.id)
	}
}

// close refuses new checks.
func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}
