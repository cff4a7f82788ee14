package logbook

import (
	"time"
)

// SetClock has a Reader take another time.
func (r *Reader) SetClock(now func() time.Time) { r.now = now }

// Waiting returns how many rows and bytes wait for the database.
func (l *Logbook) Waiting() (rows, bytes int) { return l.waiting.size() }

// Dropped returns how many rows were not kept.
func (l *Logbook) Dropped() uint64 { return l.count.dropped.Load() }

// MaxWaiting is how many bytes may wait.
const MaxWaiting = maxWaiting
