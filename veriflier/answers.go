package veriflier

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// keepFor is how long an answer is kept for repetitions of its request.
	keepFor = time.Minute
	// Answers are dropped earlier, oldest first, when they are too many or too large. This
	// limits memory; at worst a repetition causes a second check. Repetitions come within
	// seconds, after a broken connection.
	maxAnswers     = 4096
	maxAnswerBytes = 2 << 20

	retryDelay = time.Second
)

// flight is one check, running or ended.
type flight struct {
	id     string
	digest [sha256.Size]byte

	// ctx is the context of the check; cancel is safe to call at any time.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// done is closed when answer or err is final.
	done   chan struct{}
	answer *veriflierv1.VerifyResponse
	err    error

	// answers.mu guards the fields below.
	waiters int
	ended   bool
}

// kept is an answer kept for repetitions of its request. It is encoded, because that takes
// a tenth of the memory of a message and its flight.
type kept struct {
	id     string
	digest [sha256.Size]byte
	wire   []byte
	ended  time.Time
	next   *kept // the next answer in order of age
}

// answers holds the running checks and the answers of the last minute by request id. None of
// its methods waits: it holds the lock only for map operations.
type answers struct {
	limit int
	// Invariant: running.Add is called only under mu and never after close, so that Wait may
	// follow close.
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	count  int // number of running flights
	flying map[string]*flight
	kept   map[string]*kept
	// oldest and newest are the ends of the list of kept answers.
	oldest, newest *kept
	bytes          int // total wire size of the kept answers
}

func newAnswers(limit int) *answers {
	return &answers{limit: limit, flying: make(map[string]*flight), kept: make(map[string]*kept)}
}

// join finds the flight of a request, or makes one that the caller must start. Every caller
// that joins must call leave.
func (a *answers) join(base context.Context, id string, digest [sha256.Size]byte, now time.Time) (f *flight, started bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	if f := a.flying[id]; f != nil {
		if f.digest != digest {
			return nil, false, anotherTarget()
		}
		f.waiters++
		return f, false, nil
	}
	if k := a.kept[id]; k != nil {
		if k.digest != digest {
			return nil, false, anotherTarget()
		}
		f, err := k.flight()
		return f, false, err
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
	a.flying[id] = f
	a.count++
	a.running.Add(1)
	return f, true, nil
}

func anotherTarget() error {
	return fault.InvalidField("request_id", "was given with another target within the last minute")
}

// flight returns a flight that has ended with the kept answer.
func (k *kept) flight() (*flight, error) {
	answer := new(veriflierv1.VerifyResponse)
	if err := proto.Unmarshal(k.wire, answer); err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	f := &flight{id: k.id, digest: k.digest, done: make(chan struct{}), answer: answer, waiters: 1, ended: true}
	close(f.done)
	return f, nil
}

// leave removes a waiter. The last one to leave a running check cancels it, and frees its
// request id.
func (a *answers) leave(f *flight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f.waiters--
	if f.waiters > 0 || f.ended {
		return
	}
	f.cancel(errAbandoned)
	if a.flying[f.id] == f {
		delete(a.flying, f.id)
	}
}

// end passes the result to all waiters, and keeps an answer for repetitions.
func (a *answers) end(f *flight, answer *veriflierv1.VerifyResponse, err error, now time.Time) {
	var wire []byte
	if err == nil {
		if wire, err = proto.Marshal(answer); err != nil {
			answer, err = nil, fmt.Errorf("write an answer: %w", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	defer a.running.Done()
	f.answer, f.err, f.ended = answer, err, true
	close(f.done)
	f.cancel(nil)
	if a.flying[f.id] != f {
		return // abandoned
	}
	delete(a.flying, f.id)
	if err == nil {
		a.keep(&kept{id: f.id, digest: f.digest, wire: wire, ended: now})
		a.forget(now)
	}
}

func (a *answers) keep(k *kept) {
	a.kept[k.id] = k
	a.bytes += len(k.wire)
	if a.newest == nil {
		a.oldest = k
	} else {
		a.newest.next = k
	}
	a.newest = k
}

// forget drops answers that are too old, and the oldest of too many.
func (a *answers) forget(now time.Time) {
	for k := a.oldest; k != nil; k = a.oldest {
		if len(a.kept) <= maxAnswers && a.bytes <= maxAnswerBytes && now.Sub(k.ended) < keepFor {
			return
		}
		if a.oldest = k.next; a.oldest == nil {
			a.newest = nil
		}
		a.bytes -= len(k.wire)
		delete(a.kept, k.id)
	}
}

// close refuses new checks.
func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}
