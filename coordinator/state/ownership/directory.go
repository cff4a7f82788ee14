package ownership

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

const (
	// refreshTimeout bounds a read for Refresh.
	refreshTimeout = time.Second
	// moment is the age up to which Refresh does not read the directory again.
	moment = 200 * time.Millisecond
)

// reading is the state of Refresh. Invariant: Ownership.mu guards its fields.
type reading struct {
	// wanted has an element while a caller waits for a read that has not started.
	wanted chan struct{}
	// waiting is closed when the read that callers wait for ends; nil while none waits.
	waiting chan struct{}
	// ended is when the last read ended, for Refresh or for sharing.
	ended time.Time
	// over means that Run has ended and nothing is read any more.
	over bool
}

func newReading() reading { return reading{wanted: make(chan struct{}, 1)} }

// view is the result of one read.
type view struct {
	members []shard.Member
	leases  []shard.Lease
}

// Directory returns the owners and members as of the last read, with our own leases as we
// know them.
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

// Refresh starts to read the directory now; see shard.Holder.
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
		r.wanted <- struct{}{} // has room, because no caller waited
	}
	return r.waiting
}

// refreshing reads the directory whenever Refresh asks for it, until ctx ends.
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

// refreshed wakes the callers that wait for a read. After the last one no caller waits.
func (w *Ownership) refreshed(last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading.waiting != nil {
		close(w.reading.waiting)
		w.reading.waiting = nil
	}
	w.reading.over = last
}

// read reads both lists concurrently, and records them or the error in the directory.
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
	case began.Before(w.directory.At): // a read that started later has ended already
	case err != nil:
		w.directory.Err = err
	default:
		w.directory = w.directory.Read(v.leases, v.members, began)
	}
	return v, err
}
