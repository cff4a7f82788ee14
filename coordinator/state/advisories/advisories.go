// Package advisories writes what the engine remarks about sites that are up into the store, with
// the events by which others hear of it. The engine decides; no verdict depends on a remark, and
// WordPress.com is told of none.
//
// A change that is lost with the process is found again: the next owner of the shard goes on
// from what is open in the store, and its checks decide anew.
//
// Goroutines: Run is one, and has at most writers others at a time.
package advisories

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	every = time.Second
	// batch bounds the changes of one transaction, which a commit of the same shard has to wait
	// for; turn bounds the batches of one shard before the other shards have a turn.
	batch = 100
	turn  = 10
	// writers bounds the shards that are written at once.
	writers = 4
	// writeTimeout bounds one write, lastTime the round after ctx has ended.
	writeTimeout = 2500 * time.Millisecond
	lastTime     = time.Second
)

// Options for New. All are required, but for OnWrite.
type Options struct {
	Engine Engine
	Store  store.Remarks
	// Shards has the fences that prove that a shard is ours.
	Shards shard.Holder
	// OnWrite, optional, is called when changes were written: others are to be told.
	OnWrite func()
	Log     *slog.Logger
}

// Engine is where the changes come from.
type Engine interface {
	UnwrittenRemarks(of shard.ID, limit int) []record.Remark
	GiveBackRemarks(of shard.ID, changes []record.Remark)
}

// Writer writes the changes. New makes one.
type Writer struct {
	o    Options
	edge obs.Edge
}

// New makes a Writer. It writes nothing before Run.
func New(o Options) *Writer {
	if o.OnWrite == nil {
		o.OnWrite = func() {}
	}
	return &Writer{o: o, edge: obs.Edge{Log: o.Log, What: "writing remarks about sites", Level: slog.LevelWarn}}
}

// Run writes until ctx ends, and then makes one last round.
func (w *Writer) Run(ctx context.Context) error {
	for pause.For(ctx, every) {
		w.all(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	w.all(last)
	return nil
}

// all writes what each of our shards has. What could not be written waits for the next round.
func (w *Writer) all(ctx context.Context) {
	var wrote atomic.Bool
	var g errgroup.Group
	g.SetLimit(writers)
	for s := range shard.ID(shard.Count) {
		g.Go(func() error {
			some, err := w.shard(ctx, s)
			if some {
				wrote.Store(true)
			}
			return err
		})
	}
	if err := g.Wait(); ctx.Err() == nil {
		w.edge.Note(err)
	}
	if wrote.Load() {
		w.o.OnWrite()
	}
}

// shard writes the changes of one shard, and gives those that it could not write back.
func (w *Writer) shard(ctx context.Context, s shard.ID) (wrote bool, err error) {
	for range turn {
		fence, ours := w.o.Shards.Fence(s)
		if !ours {
			return wrote, nil
		}
		changes := w.o.Engine.UnwrittenRemarks(s, batch)
		if len(changes) == 0 {
			return wrote, nil
		}
		if err := w.write(ctx, fence, changes); err != nil {
			w.o.Engine.GiveBackRemarks(s, changes)
			if fault.Is(err, fault.Fenced) {
				err = nil // no longer ours
			}
			return wrote, err
		}
		wrote = true
	}
	return wrote, nil
}

func (w *Writer) write(ctx context.Context, f shard.Fence, changes []record.Remark) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return w.o.Store.Remark(ctx, f, changes)
}
