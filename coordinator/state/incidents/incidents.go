// Package incidents looks for sites that fail together, for all coordinators: the owner of
// store.IncidentShard follows the events that all of them commit, has rules/incident find what
// they share, and writes the incidents with the events by which operators hear of them.
//
// It decides nothing about a site, and delays no notification. A process that ends, or loses the
// shard, leaves what it wrote: the next one goes on from there, and looks at the events of the
// rule's Window once more, which changes nothing of what it knows already.
//
// Goroutines: none; Run is one, and ends with ctx.
package incidents

import (
	"context"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	every = time.Second
	// pageSize bounds the events of one reading.
	pageSize = 5000
	// callTimeout bounds one call of the store; an incident of many sites takes several.
	callTimeout = 10 * time.Second
	// keepEvery is the time between two notes of the place among the events.
	keepEvery = 10 * time.Second
)

// Options for New. OnWrite and NameServers are optional.
type Options struct {
	Store interface {
		store.Incidents
		ReadEvents(ctx context.Context, after event.Positions, limit int) (store.EventPage, error)
		SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error)
	}
	// Shards has the fence that proves that the shard of incidents is ours.
	Shards shard.Holder
	Rule   incident.Rule
	// OnWrite is called when others are to be told of an incident.
	OnWrite func()
	// NameServers returns the name servers of a host's domain. It is asked about sites whose names
	// do not resolve, once many of them fail. Without it name servers are no cause.
	NameServers func(ctx context.Context, host string) ([]string, error)
	Log         *slog.Logger
}

// Finder finds incidents. New makes one.
type Finder struct {
	o    Options
	edge obs.Edge
	// watch is nil while the shard is not ours, or when it must be made anew; fence is the one
	// under which it was made.
	watch *incident.Watch
	fence shard.Fence
	// at is up to where events were looked at. places are earlier such places, the oldest first:
	// one that lies a Window back is kept in the store.
	at     event.Positions
	places []place
	// nameless are the failures of sites whose names do not resolve.
	nameless nameless
	kept     time.Time
	rounds   rounds
}

// place is where the finder was at a time.
type place struct {
	time time.Time
	at   event.Positions
}

// New makes a Finder, which does nothing before Run.
func New(o Options) *Finder {
	if o.OnWrite == nil {
		o.OnWrite = func() {}
	}
	return &Finder{o: o, edge: obs.Edge{Log: o.Log, What: "looking for incidents", Level: slog.LevelWarn}}
}

// Run looks every second until ctx ends.
func (f *Finder) Run(ctx context.Context) error {
	for pause.For(ctx, every) {
		fence, ours := f.o.Shards.Fence(store.IncidentShard)
		if !ours || fence != f.fence {
			f.watch = nil
		}
		if !ours {
			continue
		}
		err := f.look(ctx, fence)
		if ctx.Err() != nil {
			return nil
		}
		if fault.Is(err, fault.Fenced) {
			err = nil // the next owner goes on
		}
		if f.edge.Note(err); err != nil {
			f.watch = nil // what was written is read again
		}
	}
	return nil
}

// look reads what is new, and writes what follows from it.
func (f *Finder) look(ctx context.Context, fence shard.Fence) error {
	now := time.Now()
	if f.watch == nil {
		if err := f.begin(ctx, fence, now); err != nil {
			return err
		}
	}
	for {
		more, err := f.read(ctx, now)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	f.nameServers(ctx, now)
	if err := f.lapse(ctx, now); err != nil {
		return err
	}
	told := false
	for _, c := range f.watch.Advance(now) {
		if err := f.write(ctx, fence, c); err != nil {
			f.watch = nil
			return err
		}
		told = told || c.Tell != event.TypeNone
	}
	if told {
		f.o.OnWrite()
	}
	return f.keep(ctx, fence, now)
}

// begin makes a Watch that goes on from what was written. Who looks for the first time begins
// with what happens from now on.
func (f *Finder) begin(ctx context.Context, fence shard.Fence, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	at, known, err := f.o.Store.IncidentPlace(ctx)
	if err != nil {
		return err
	}
	if !known {
		page, err := f.o.Store.ReadEvents(ctx, event.FromOldest(), 1)
		if err != nil {
			return err
		}
		at = page.Heads
		if err := f.o.Store.KeepIncidentPlace(ctx, fence, at); err != nil {
			return err
		}
	}
	next, written, err := f.o.Store.RecentIncidents(ctx, now.Add(-f.o.Rule.Window))
	if err != nil {
		return err
	}
	f.watch, f.fence = incident.New(f.o.Rule, next, written), fence
	f.at, f.places, f.kept = at, []place{{now, at}}, now
	return nil
}

// read takes a page of events into account, and reports whether there may be more.
func (f *Finder) read(ctx context.Context, now time.Time) (more bool, err error) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := f.o.Store.ReadEvents(call, f.at, pageSize)
	if err != nil {
		return false, err
	}
	for _, stored := range page.Events {
		e, err := event.Decode(stored.Body)
		if err != nil {
			f.o.Log.Warn("event unreadable, passed over", "shard", stored.Shard, "pos", stored.Pos, "error", err)
			continue
		}
		if e.Muted || e.Status == nil || e.Site == nil {
			continue
		}
		f.nameless.note(&e)
		f.watch.Note(now, &e)
	}
	f.at = page.Next
	return len(page.Events) >= pageSize, nil
}

// write writes one change.
func (f *Finder) write(ctx context.Context, fence shard.Fence, c incident.Change) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := f.o.Store.WriteIncident(ctx, fence, c); err != nil {
		return err
	}
	if c.Tell != event.TypeNone {
		f.o.Log.Info("incident", "incident_id", c.ID, "event", c.Tell, "cause", c.Cause, "value", c.Value,
			"members", c.Members, "down", c.Down)
	}
	return nil
}

// keep notes the place of a Window ago, from which another process would begin.
func (f *Finder) keep(ctx context.Context, fence shard.Fence, now time.Time) error {
	if now.Sub(f.kept) < keepEvery {
		return nil
	}
	f.kept = now
	if last := f.places[len(f.places)-1]; last.at != f.at {
		f.places = append(f.places, place{now, f.at})
	}
	moved := false
	for len(f.places) > 1 && now.Sub(f.places[1].time) >= f.o.Rule.Window {
		f.places, moved = f.places[1:], true
	}
	if !moved {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return f.o.Store.KeepIncidentPlace(ctx, fence, f.places[0].at)
}
