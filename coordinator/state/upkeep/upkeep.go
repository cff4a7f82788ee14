// Package upkeep keeps open outages in line with the rows of their sites, which WordPress.com
// edits in the table: it ends those of sites that were deleted or got another URL, and notes
// when a site is paused or resumed. It asks the database for them and remembers none, so it
// also finds rows that were edited while no coordinator ran, or just before one was killed. It
// owns the pace; store.Orphans decides which outages. It also counts the rows whose bucket does
// not exist, which nobody can watch. It sends no notification, because
// WordPress.com edited the site itself.
//
// Goroutines: none; Run is one, and ends with ctx.
package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// first is the time from the start to the first pass, every the time between passes.
	first = 5 * time.Second
	every = 30 * time.Second
	// page bounds the outages that one query returns.
	page = 500
	// callTimeout bounds one call of the store.
	callTimeout = 10 * time.Second
)

// Options for New. All are required.
type Options struct {
	Store store.Orphans
	// Shards reports which shards are ours, with the fences for writes.
	Shards shard.Holder
	Log    *slog.Logger
}

// Upkeep keeps open outages in line with their rows. New makes one.
type Upkeep struct {
	o Options

	mu     sync.Mutex
	strays record.Strays
	// since is when the first of them was found; zero while there are none.
	since time.Time
}

// New makes an Upkeep. It does nothing before Run.
func New(o Options) *Upkeep { return &Upkeep{o: o} }

// Run makes a pass every 30 s until ctx ends; then it returns nil.
func (u *Upkeep) Run(ctx context.Context) error {
	edge := obs.Edge{Log: u.o.Log, What: "keeping open outages in line with their rows", Level: slog.LevelWarn}
	for wait := first; pause.For(ctx, wait); wait = every {
		if err := u.pass(ctx); ctx.Err() == nil {
			edge.Note(err)
		}
	}
	return nil
}

// work is one kind of outages that are behind their rows.
type work struct {
	list func(context.Context, []shard.ID, int) ([]record.Outage, error)
	do   func(context.Context, shard.Fence, []int64, time.Time) (int, error)
	done string
}

// pass ends all outages of deleted and changed sites in our shards, and notes the pauses.
func (u *Upkeep) pass(ctx context.Context) error {
	ended := u.all(ctx, work{u.o.Store.ListOrphans, u.o.Store.EndOrphans, "outages of deleted or changed sites ended"})
	noted := u.all(ctx, work{u.o.Store.ListUnnoticed, u.o.Store.NotePauses, "pauses of sites with open outages noted"})
	return errors.Join(ended, noted, u.count(ctx))
}

// count counts the strays, if the first shard is ours: one coordinator is enough.
func (u *Upkeep) count(ctx context.Context) (err error) {
	var found record.Strays
	if _, ours := u.o.Shards.Fence(0); ours {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if found, err = u.o.Store.CountStrays(ctx); err != nil {
			return err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case found.Rows == 0:
		u.since = time.Time{}
	case u.since.IsZero():
		u.since = time.Now()
	}
	u.strays = found
	return nil
}

// Strays returns the rows that nobody can watch, and since when there are some.
func (u *Upkeep) Strays() (record.Strays, time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.strays, u.since
}

// all does one kind of work.
func (u *Upkeep) all(ctx context.Context, w work) error {
	for {
		found, err := u.find(ctx, w)
		if err != nil {
			return err
		}
		ended, err := u.end(ctx, w, found)
		if err != nil || ended == 0 || len(found) < page {
			return err
		}
	}
}

func (u *Upkeep) find(ctx context.Context, w work) ([]record.Outage, error) {
	var ours []shard.ID
	held := u.o.Shards.Held()
	for _, s := range held.Staying() {
		if held[s].Sure {
			ours = append(ours, s)
		}
	}
	if len(ours) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return w.list(ctx, ours, page)
}

// end does the work on outages, shard by shard. It leaves those of a shard that we have lost
// to the shard's next owner.
func (u *Upkeep) end(ctx context.Context, w work, found []record.Outage) (ended int, err error) {
	byShard := map[shard.ID][]record.Outage{}
	for _, o := range found {
		s := shard.Of(o.Bucket)
		byShard[s] = append(byShard[s], o)
	}
	for s, those := range byShard {
		fence, ours := u.o.Shards.Fence(s)
		if !ours {
			continue
		}
		n, shardErr := u.write(ctx, w, fence, those)
		switch {
		case fault.Is(shardErr, fault.Fenced):
		case shardErr != nil:
			err = shardErr
		case n > 0:
			u.o.Log.Info(w.done, "shard", s, "outages", n, "first_site_id", those[0].SiteID)
		}
		ended += n
	}
	return ended, err
}

func (u *Upkeep) write(ctx context.Context, w work, f shard.Fence, those []record.Outage) (int, error) {
	ids := make([]int64, len(those))
	for i, o := range those {
		ids[i] = o.ID
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return w.do(ctx, f, ids, time.Now())
}
