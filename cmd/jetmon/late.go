package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/backoff"
	"github.com/Automattic/jetmon/internal/pause"
)

// lateCoordinator is a coordinator whose database may be away when it starts: it waits for
// it, and is not ready meanwhile.
type lateCoordinator struct {
	dsn string
	db  sqlstore.Options

	mu   sync.Mutex
	o    coordinator.Options
	role *coordinator.Coordinator // nil until the database was there
	away error                    // why role is nil
}

// waiting are the pauses between two attempts to open the database.
func waiting() backoff.Policy {
	return backoff.Policy{Base: 500 * time.Millisecond, Most: 15 * time.Second}
}

// Run opens the database and coordinates until ctx ends.
func (l *lateCoordinator) Run(ctx context.Context) error {
	db, err := l.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return databaseError(err)
	}
	r, err := l.make(db)
	if err != nil {
		return errors.Join(usageError{err}, db.Close())
	}
	return errors.Join(r.Run(ctx), db.Close())
}

// open waits until the database is there. What waiting does not mend is an error.
func (l *lateCoordinator) open(ctx context.Context) (*sqlstore.Store, error) {
	for attempt := 1; ; attempt++ {
		opening, cancel := context.WithTimeout(ctx, openTimeout)
		db, err := sqlstore.Open(opening, l.dsn, l.db)
		cancel()
		if err == nil || ctx.Err() != nil || !sqlstore.IsAway(err) {
			return db, err
		}
		l.mu.Lock()
		l.away = err
		l.mu.Unlock()
		wait := waiting().Range(attempt)
		l.db.Log.Warn("the database is away; nothing is checked until it is there", "error", err, "attempt", attempt, "again_in", wait.Round(time.Millisecond))
		if !pause.For(ctx, wait) {
			return nil, err
		}
	}
}

func (l *lateCoordinator) make(db *sqlstore.Store) (*coordinator.Coordinator, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.o.Store = db
	r, err := coordinator.New(l.o)
	if err == nil {
		l.role, l.away = r, nil
	}
	return r, err
}

// Ready returns why the coordinator cannot work now, or nil.
func (l *lateCoordinator) Ready() error {
	l.mu.Lock()
	r, away := l.role, l.away
	l.mu.Unlock()
	switch {
	case r != nil:
		return r.Ready()
	case away != nil:
		return away
	}
	return errors.New("the database is being opened")
}

// Change gives the coordinator new options; see coordinator.Change.
func (l *lateCoordinator) Change(o coordinator.Options) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.role != nil {
		return l.role.Change(o)
	}
	o.Listeners, o.Endpoint, o.Node, o.Log, o.Metrics, o.Server, o.Diagnoser = l.o.Listeners, l.o.Endpoint, l.o.Node, l.o.Log, l.o.Metrics, l.o.Server, l.o.Diagnoser
	o.Notify.Disabled, o.BucketMin, o.BucketMax = l.o.Notify.Disabled, l.o.BucketMin, l.o.BucketMax
	o.Trial, o.Stats, o.ChangeLog, o.NameServers, o.Traces = l.o.Trial, l.o.Stats, l.o.ChangeLog, l.o.NameServers, l.o.Traces
	l.o = o
	return nil
}
