package feed

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// pagesAtOnce bounds the watchers that read pages of the database at once, pageEvents the
	// events of a page.
	pagesAtOnce = 4
	pageEvents  = 200
	// beginWithin bounds how long a watcher waits to begin, and for the database to come as far
	// as its position: another server of it may be a little behind.
	beginWithin = 5 * time.Second
)

// Cursor is how far one watcher has got. It is for one goroutine.
type Cursor struct {
	f  *Feed
	at event.Positions
	// joined means that it reads the ring; next is then the number of its next batch.
	joined bool
	next   uint64
}

// Start is where a watcher begins: after a token or, if it has none, with the oldest event
// that is kept or with what happens from now on.
type Start struct {
	Token  *event.Token
	Oldest bool
}

// Watch begins to watch. Close ends it.
func (f *Feed) Watch(ctx context.Context, from Start) (*Cursor, error) {
	if err := f.enter(); err != nil {
		return nil, err
	}
	c := &Cursor{f: f, at: event.FromOldest()}
	if err := c.begin(ctx, from); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (f *Feed) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.stopped:
		return ErrStopping
	case f.watchers >= MaxWatchers:
		return ErrFull
	}
	f.watchers++
	return nil
}

// Close ends the watching.
func (c *Cursor) Close() {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.watchers--
}

// Token returns the token of what the watcher has got.
func (c *Cursor) Token() string {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return event.Token{Database: c.f.database, Positions: c.at}.String()
}

// begin finds out where to begin, by what the database says now.
func (c *Cursor) begin(ctx context.Context, from Start) error {
	bound, cancel := context.WithTimeout(ctx, beginWithin)
	defer cancel()
	for ahead := false; ; ahead = true {
		if err := c.f.refresh(bound); err != nil {
			switch {
			case ctx.Err() != nil || bound.Err() == nil:
				return err
			case ahead:
				return ErrAhead
			}
			return ErrAway
		}
		err := c.settle(from)
		if !errors.Is(err, ErrAhead) || !pause.For(bound, pollEvery) {
			return err
		}
	}
}

// settle sets the position.
func (c *Cursor) settle(from Start) error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	switch {
	case from.Token == nil && from.Oldest:
	case from.Token == nil:
		c.at = c.f.heads
	case from.Token.Database != c.f.database:
		return ErrForeign
	case !c.f.heads.Reached(from.Token.Positions):
		return ErrAhead
	case missed(from.Token.Positions, c.f.expired):
		return ErrExpired
	default:
		c.at = from.Token.Positions
	}
	return nil
}

// missed reports whether events after a position have expired.
func missed(at, expired event.Positions) bool {
	for s := range at {
		if at[s] != event.Oldest && at[s] < expired[s] {
			return true
		}
	}
	return false
}

// refresh waits for a reading that begins after it was called.
func (f *Feed) refresh(ctx context.Context) error {
	f.mu.Lock()
	f.asked++
	ticket := f.asked
	f.mu.Unlock()
	f.Nudge()
	for {
		f.mu.Lock()
		stopped, answered, changed := f.stopped, f.answered >= ticket, f.changed
		f.mu.Unlock()
		switch {
		case stopped:
			return ErrStopping
		case answered:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Next waits for what happens next, for at most patience; nil means nothing. The batch is new
// to the watcher as a whole.
func (c *Cursor) Next(ctx context.Context, patience time.Duration) (*Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waits := backoff.Policy{Base: pollEvery, Most: 2 * time.Second}
	for failures := 0; ; {
		b, changed, err := c.take()
		if b != nil || err != nil {
			return b, err
		}
		if changed != nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return nil, nil
			}
		}
		b, err = c.page(ctx)
		switch {
		case b != nil || errors.Is(err, ErrExpired):
			return b, err
		case err != nil:
			failures++
			if !pause.For(ctx, waits.Wait(failures, 0.5+rand.Float64()/2)) {
				return nil, nil
			}
		}
	}
}

// take takes the next batch of the ring. It returns what to wait for when there is none, and
// nothing at all when the watcher has not come as far as the ring.
func (c *Cursor) take() (b *Batch, changed <-chan struct{}, err error) {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, nil, ErrStopping
	}
	if !f.failingSince.IsZero() && time.Since(f.failingSince) > awayAfter {
		return nil, nil, ErrAway
	}
	if !c.joined {
		if !c.at.Reached(f.ring.begin()) {
			return nil, nil, nil
		}
		c.joined, c.next = true, f.ring.first
	}
	if c.next < f.ring.first {
		f.slow++
		return nil, nil, ErrSlow
	}
	for c.next < f.ring.first+uint64(len(f.ring.batches)) {
		b := f.ring.batches[c.next-f.ring.first]
		c.next++
		if b.before == c.at {
			c.at = b.after
			return b, nil, nil
		}
		// Some of it was in the pages that were read before.
		items := b.since(c.at)
		c.at = c.at.Join(b.after)
		if len(items) > 0 {
			return &Batch{Items: items, Token: event.Token{Database: f.database, Positions: c.at}.String()}, nil, nil
		}
	}
	return nil, f.changed, nil
}

// page reads a page of the database, or takes one that another watcher has read. It returns
// nothing when nothing is left to read.
func (c *Cursor) page(ctx context.Context) (*Batch, error) {
	f := c.f
	select {
	case f.pages <- struct{}{}:
		defer func() { <-f.pages }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.mu.Lock()
	b, database := f.caught.pages[c.at], f.database
	f.mu.Unlock()
	if b == nil {
		page, err := f.readPage(ctx, c.at)
		if err != nil {
			return nil, err
		}
		if missed(c.at, page.Expired) {
			return nil, ErrExpired
		}
		all := f.batches(database, c.at, page)
		if len(all) == 0 {
			return nil, nil
		}
		b = all[0]
		f.mu.Lock()
		f.caught.add(b)
		f.mu.Unlock()
	}
	c.at = b.after
	if len(b.Items) == 0 {
		return nil, nil
	}
	return b, nil
}

func (f *Feed) readPage(ctx context.Context, after event.Positions) (store.EventPage, error) {
	// A heartbeat that is due must not cut a reading short, which would begin anew for ever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	return f.o.Store.ReadEvents(ctx, after, pageEvents)
}
