// Package pulse watches whether the database answers, and ends the calls that wait for one
// that does not: they would wait as long as their callers let them.
//
// It must not say what is done without a database, and knows no SQL. Goroutines: that of Run
// asks the database, until its context ends.
package pulse

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// every is the time between two questions, and askFor how long one may take.
	every  = 500 * time.Millisecond
	askFor = 2 * time.Second
	// Patience is how long a call may wait for a database that does not answer.
	Patience = 2 * time.Second
	// silence is how long an answer must be missing before a call is ended: a slow answer
	// says that the database is there.
	silence = 1500 * time.Millisecond
	// again is the time between two looks at a call that waits.
	again = 250 * time.Millisecond
)

// ErrAway is the cause of a context that ended because the database does not answer.
var ErrAway = errors.New("the database does not answer")

// Pulse is the pulse of one database. New makes one.
type Pulse struct {
	ping func(context.Context) error

	mu sync.Mutex
	// asked is when the question began that has no answer yet; zero when there is none.
	asked time.Time
	// since is when the first question began that failed; zero while they succeed.
	since time.Time
}

// New makes a pulse; ping asks the database.
func New(ping func(context.Context) error) *Pulse { return &Pulse{ping: ping} }

// Run asks the database until ctx ends.
func (p *Pulse) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		p.ask(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (p *Pulse) ask(ctx context.Context) {
	began := time.Now()
	p.mu.Lock()
	p.asked = began
	p.mu.Unlock()
	bound, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	err := p.ping(bound)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Time{}
	switch {
	case err == nil:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = began
	}
}

// Silent returns for how long the database has not answered; 0 while it does.
func (p *Pulse) Silent(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.since.IsZero():
		return now.Sub(p.since)
	case !p.asked.IsZero():
		return now.Sub(p.asked)
	}
	return 0
}

// Watch returns a context for a call. It ends with ErrAway as its cause when the call has
// waited for Patience and the database does not answer, or at once when that has been so for
// long. A call that needs the database only at its beginning is watched just so long. done
// ends the watch.
func (p *Pulse) Watch(ctx context.Context, beginning bool) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	patience := Patience
	if p.Silent(time.Now()) >= Patience {
		patience = again
	}
	var mu sync.Mutex
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		switch silent := p.Silent(time.Now()); {
		case silent >= silence:
			cancel(ErrAway)
		case ctx.Err() == nil && (!beginning || silent > every):
			timer.Reset(again)
		}
	})
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// Ended reports whether a context of Watch ended because the database does not answer.
func Ended(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrAway) }
