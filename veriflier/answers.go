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
	// keepFor is how long an answer is given again to the same request id.
	keepFor = time.Minute
	// Answers are forgotten earlier, oldest first, when there are too many of them or
	// they are too large: memory is bounded, and a repeated question is only a second
	// check. Who repeats a question does so within seconds, when a connection broke.
	maxAnswers     = 4096
	maxAnswerBytes = 2 << 20

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
	ended   bool
}

// kept is an answer that may be asked for again, as bytes: a tenth of what it takes as
// a message beside its flight.
type kept struct {
	id     string
	digest [sha256.Size]byte
	wire   []byte
	ended  time.Time
	next   *kept // the one that ended after it
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
	flying map[string]*flight
	kept   map[string]*kept
	// oldest and newest are the ends of the list of all that are kept.
	oldest, newest *kept
	bytes          int // wire size of all that are kept
}

func newAnswers(limit int) *answers {
	return &answers{limit: limit, flying: make(map[string]*flight), kept: make(map[string]*kept)}
}

// join finds the flight of a request, or makes one that the caller must start. Who
// joined must leave.
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

// flight is one that has ended with the answer.
func (k *kept) flight() (*flight, error) {
	answer := new(veriflierv1.VerifyResponse)
	if err := proto.Unmarshal(k.wire, answer); err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	f := &flight{id: k.id, digest: k.digest, done: make(chan struct{}), answer: answer, waiters: 1, ended: true}
	close(f.done)
	return f, nil
}

// leave takes a waiter away. The last one to leave a running check ends it, and its id
// is free again.
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

// end gives the result to all who wait, and keeps an answer for those who ask again.
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

// forget drops the answers that are too old or too many.
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
