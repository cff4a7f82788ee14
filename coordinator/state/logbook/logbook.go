package logbook

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// flushers bounds the shards that are flushed at once at the end.
	flushers = 2
	// writeTimeout bounds one write, lastTime the flush of all shards after ctx has ended.
	writeTimeout = 10 * time.Second
	lastTime     = 3500 * time.Millisecond
	// DefaultFlushEvery is how often the notes of a shard are written.
	DefaultFlushEvery = 10 * time.Minute
	// maxWaiting bounds the bytes that wait for the database.
	maxWaiting = 256 << 20
)

// Options for New. OnFold, Clock and Metrics are optional.
type Options struct {
	Engine Engine
	Store  Store
	// Shards has the fences that prove that a shard is ours.
	Shards shard.Holder
	// FlushEvery is the time between two flushes of a shard, at least a second; 0 means
	// DefaultFlushEvery.
	FlushEvery time.Duration
	// OnFold is called after each fold of a bucket's hours, before the next one.
	OnFold func(context.Context, Folded)
	// Clock says what time it is; nil means time.Now.
	Clock   func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Engine is where the notes come from.
type Engine interface {
	// TakeNotes takes the notes of a shard.
	TakeNotes(shard.ID) history.Taken
	// ReuseNotes gives their memory back.
	ReuseNotes(history.Taken)
}

// Store is what a Logbook needs of the store.
type Store interface {
	store.Checks
	Calendar(ctx context.Context, now time.Time) (*maintenance.Calendar, error)
	SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error)
}

// Folded is what a fold has come to.
type Folded struct {
	Fence  shard.Fence
	Bucket check.BucketID
	// Hours are those from First up to End, without End, of one day.
	First, End history.Hour
	// Checks has the turns of these hours.
	Checks *history.Sheet
	// Day has the summaries of the day up to End, by part.
	Day map[history.Part]*history.Summaries
	// Again means that the hours had been folded before, and late checks were added.
	Again bool
}

// Logbook writes. New makes one.
type Logbook struct {
	o       Options
	shelf   *shelf
	waiting *queue
	// binders are those that are not in use, as many as may flush at once.
	binders chan *binder
	// folds is how far each shard has been folded. Only Tend touches it.
	folds [shard.Count]folding
	edge  obs.Edge // of writing
	stuck obs.Edge // of folding
	count counters
	now   func() time.Time
}

// folding is how far the hours of a shard have been folded in a term: before end.
type folding struct {
	term uint64
	end  history.Hour
}

// New makes a Logbook. It writes nothing before Run.
func New(o Options) (*Logbook, error) {
	if o.FlushEvery == 0 {
		o.FlushEvery = DefaultFlushEvery
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.OnFold == nil {
		o.OnFold = func(context.Context, Folded) {}
	}
	l := &Logbook{
		o: o, shelf: newShelf(o.Log), waiting: new(queue), binders: make(chan *binder, flushers), now: o.Clock,
		edge:  obs.Edge{Log: o.Log, What: "writing the history of checks", Level: slog.LevelWarn},
		stuck: obs.Edge{Log: o.Log, What: "folding the history of checks", Level: slog.LevelWarn},
	}
	for range flushers {
		l.binders <- new(binder)
	}
	if err := l.register(o.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return l, nil
}

// Run flushes one shard after the other until ctx ends, each once in Options.FlushEvery, and folds
// the hours that are over. Then it flushes all shards a last time.
func (l *Logbook) Run(ctx context.Context) error {
	wait := l.o.FlushEvery / shard.Count
	next := l.now().Add(wait)
	for s := shard.ID(0); pause.For(ctx, next.Sub(l.now())); s = (s + 1) % shard.Count {
		l.Tend(ctx, s)
		// After a turn that took long the others catch up, unless the clock has been set.
		if next = next.Add(wait); next.Sub(l.now()).Abs() > l.o.FlushEvery {
			next = l.now().Add(wait)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	l.all(last)
	return nil
}

// Tend does what Run does for a shard once in Options.FlushEvery: it flushes the shard, and folds
// its hours that are over. It must not be called while Run, or another Tend, is under way.
func (l *Logbook) Tend(ctx context.Context, s shard.ID) {
	l.Flush(ctx, s)
	l.fold(ctx, s)
}

// all flushes all shards.
func (l *Logbook) all(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(flushers)
	for s := range shard.ID(shard.Count) {
		g.Go(func() error {
			l.Flush(ctx, s)
			return nil
		})
	}
	_ = g.Wait() // there are no errors
}
