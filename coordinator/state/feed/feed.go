package feed

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// pollEvery is the time between two readings when nobody says that there is something new.
	pollEvery = 250 * time.Millisecond
	// between is the time between two readings that find something: under load events come
	// in batches, which cost each watcher one message.
	between = 100 * time.Millisecond
	// readTimeout bounds one reading, awayAfter how long the database may be away before
	// watchers are sent away.
	readTimeout = 5 * time.Second
	awayAfter   = 30 * time.Second
	// readAtOnce bounds the events of one reading of the feed.
	readAtOnce = 1000
	// maxItems and maxBytes bound the ring: about 16 s of 1,000 events a second. An item takes
	// some 2 KiB besides its encoded bytes.
	maxItems = 16_384
	maxBytes = 16 << 20
	// MaxWatchers bounds those who watch.
	MaxWatchers = 4096
	idle        = time.Hour
)

// Why a watcher gets no more. Its token, where it has one, says how far it got.
var (
	// ErrStopping means that this coordinator stops.
	ErrStopping = errors.New("the feed has ended")
	// ErrAway means that the database has been away for too long.
	ErrAway = errors.New("the database has been away for too long")
	// ErrSlow means that more has happened than is kept before the watcher took it.
	ErrSlow = errors.New("the watcher takes events more slowly than they happen")
	// ErrExpired means that events after a position are no longer kept.
	ErrExpired = errors.New("events after the position are no longer kept")
	// ErrAhead means that the database has not come as far as a position.
	ErrAhead = errors.New("the position is ahead of the database")
	// ErrForeign means that a position is one in another database.
	ErrForeign = errors.New("the position is one in another database")
	// ErrFull means that there are MaxWatchers.
	ErrFull = errors.New("too many watch")
)

// Options for New; all are required.
type Options struct {
	Store store.Events
	// Encode encodes an event, given as it is stored, for the watchers.
	Encode func(body string) ([]byte, error)
	Log    *slog.Logger
}

// Feed follows the events. New makes one.
type Feed struct {
	o Options
	// wake ends a rest of Run; pages bounds the watchers that read the database.
	wake  chan struct{}
	pages chan struct{}
	done  chan struct{} // closed at the end of Run

	mu       sync.Mutex
	watchers int
	slow     uint64
	stopped  bool
	// changed is closed, and replaced, when anything below has changed.
	changed chan struct{}
	// live means that the ring follows the database.
	live     bool
	database uint32
	ring     ring
	heads    event.Positions
	expired  event.Positions
	// asked and answered number the readings that were asked for.
	asked, answered uint64
	failingSince    time.Time // zero while the database answers
	caught          cache
}

// New makes a Feed, which reads nothing before Run.
func New(o Options) *Feed {
	return &Feed{o: o, wake: make(chan struct{}, 1), pages: make(chan struct{}, pagesAtOnce), done: make(chan struct{}), changed: make(chan struct{})}
}

// Run follows the events until ctx ends; then it ends all watchers and returns nil.
func (f *Feed) Run(ctx context.Context) error {
	defer f.stop()
	waits := backoff.Policy{Base: pollEvery, Most: 2 * time.Second}
	for failures := 0; ctx.Err() == nil; {
		if f.rests() {
			pause.Or(ctx, idle, f.wake)
			continue
		}
		began := time.Now()
		n, err := f.read(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			if failures == 1 {
				f.o.Log.Warn("events cannot be read; watchers wait", "error", err)
			}
			pause.For(ctx, waits.Wait(failures, 0.5+rand.Float64()/2))
			continue
		case n >= readAtOnce: // there is more
		case n > 0:
			pause.For(ctx, between-time.Since(began))
		default:
			pause.Or(ctx, pollEvery, f.wake)
		}
		if failures > 0 {
			f.o.Log.Info("events are read again", "attempts", failures)
			failures = 0
		}
	}
	return nil
}

// Nudge has the feed read soon: something was committed here.
func (f *Feed) Nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Status describes the feed.
type Status struct {
	Watchers int
	// Slow counts the watchers that were dropped because they were slow.
	Slow uint64
	// Events and Bytes are in the ring, encoded.
	Events, Bytes int
}

// Status returns the state of the feed.
func (f *Feed) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{Watchers: f.watchers, Slow: f.slow, Events: f.ring.items, Bytes: f.ring.bytes}
}

// rests reports whether nobody watches. What is in memory is forgotten then: it would be old
// when somebody does.
func (f *Feed) rests() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers > 0 {
		return false
	}
	f.live, f.caught, f.failingSince = false, cache{}, time.Time{}
	f.ring.clear()
	return true
}

func (f *Feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	close(f.done)
	f.tell()
}

// Done is closed when Run has ended: nobody gets anything more.
func (f *Feed) Done() <-chan struct{} { return f.done }

// tell wakes all who wait for a change. The caller holds mu.
func (f *Feed) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// read reads what is new into the ring, and counts it.
func (f *Feed) read(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	f.mu.Lock()
	after, live, database, ticket := f.ring.end, f.live, f.database, f.asked
	f.mu.Unlock()
	if database == 0 {
		if database, err = f.o.Store.EventDatabase(ctx); err != nil {
			return 0, f.failed(err)
		}
	}
	if !live {
		after = ahead() // of everything: only the heads are read
	}
	page, err := f.o.Store.ReadEvents(ctx, after, readAtOnce)
	if err != nil {
		return 0, f.failed(err)
	}
	if !live {
		after, page.Next = page.Heads, page.Heads
	}
	all := f.batches(database, after, page)

	f.mu.Lock()
	defer f.mu.Unlock()
	if !live {
		f.ring.end = after
	}
	f.live, f.database, f.heads, f.expired, f.failingSince, f.answered = true, database, page.Heads, page.Expired, time.Time{}, ticket
	for _, b := range all {
		f.ring.add(b)
	}
	f.tell()
	return len(page.Events), nil
}

func (f *Feed) failed(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failingSince.IsZero() {
		f.failingSince = time.Now()
	}
	f.tell()
	return err
}

func ahead() (p event.Positions) {
	for s := range p {
		p[s] = math.MaxInt64
	}
	return p
}
