package logbook

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// SetClock has a Logbook take another time.
func (l *Logbook) SetClock(now func() time.Time) { l.now = now }

// SetClock has a Reader take another time.
func (r *Reader) SetClock(now func() time.Time) { r.now = now }

// Turn does what Run does for a shard once in Options.FlushEvery.
func (l *Logbook) Turn(ctx context.Context, s shard.ID) { l.turn(ctx, s) }

// Waiting returns how many rows and bytes wait for the database.
func (l *Logbook) Waiting() (rows, bytes int) { return l.waiting.size() }

// Dropped returns how many rows were not kept.
func (l *Logbook) Dropped() uint64 { return l.count.dropped.Load() }

// MaxWaiting is how many bytes may wait.
const MaxWaiting = maxWaiting
