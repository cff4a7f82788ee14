package ownership

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

const (
	// refreshTimeout bounds a reading that somebody waits for.
	refreshTimeout = time.Second
	// moment is how long what was read is not read again for somebody.
	moment = 200 * time.Millisecond
)

// reading is what is under way of Refresh. Its fields are guarded by Ownership.mu.
type reading struct {
	// wanted has an element while somebody waits for a reading that has not begun.
	wanted chan struct{}
	// waiting is closed when that, or the one that has, is over; nil while nobody waits.
	waiting chan struct{}
	// ended is when the last reading was, of whoever's.
	ended time.Time
	// over says that Run has ended: nothing is read any more.
	over bool
}

func newReading() reading { return reading{wanted: make(chan struct{}, 1)} }

// view is what one reading found.
type view struct {
	members []shard.Member
	leases  []shard.Lease
}

// Directory is who owns what and who is there, as last read; of our own shards as we know
// them.
func (w *Ownership) Directory() shard.Directory {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.directory
	for _, t := range w.held {
		if t.ours() {
			d.Put(t.lease)
		}
	}
	return d
}

// Refresh has the directory read now; see shard.Holder.
func (w *Ownership) Refresh() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &w.reading
	switch {
	case r.waiting != nil:
	case r.over || time.Since(r.ended) < moment:
		done := make(chan struct{})
		close(done)
		return done
	default:
		r.waiting = make(chan struct{})
		r.wanted <- struct{}{} // has room: nobody waited
	}
	return r.waiting
}

// refreshing reads the directory when somebody wants it, until ctx ends.
func (w *Ownership) refreshing(ctx context.Context) {
	for {
		select {
		case <-w.reading.wanted:
			_, _ = w.read(ctx, refreshTimeout) // the directory has the error
			w.refreshed(false)
		case <-ctx.Done():
			w.refreshed(true)
			return
		}
	}
}

// refreshed lets go who waits for a reading. When it is the last one, nobody waits again.
func (w *Ownership) refreshed(last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading.waiting != nil {
		close(w.reading.waiting)
		w.reading.waiting = nil
	}
	w.reading.over = last
}

// read reads both lists at once, and notes what they say, or why they say nothing.
func (w *Ownership) read(ctx context.Context, timeout time.Duration) (v view, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	var g errgroup.Group
	g.Go(func() (err error) {
		v.leases, err = w.o.Store.ListShards(ctx)
		return err
	})
	if w.o.Members != nil {
		g.Go(func() (err error) {
			v.members, err = w.o.Members.ListMembers(ctx, time.Now())
			return err
		})
	}
	err = g.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reading.ended = time.Now()
	switch {
	case began.Before(w.directory.At): // one that began later was quicker
	case err != nil:
		w.directory.Err = err
	default:
		w.directory = w.directory.Read(v.leases, v.members, began)
	}
	return v, err
}
