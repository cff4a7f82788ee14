package obs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Edge logs when an operation begins to fail and when it recovers, and nothing in between.
// It is safe for concurrent use, and must not be copied.
type Edge struct {
	Log *slog.Logger
	// What names the operation: "reading the table".
	What string
	// Level is the level of the first failure: LevelWarn or LevelError. A recovery is always
	// at LevelInfo, which is also the zero value.
	Level slog.Level

	mu    sync.Mutex
	since time.Time
}

// Note records the result of one attempt. It adds attributes to the log line of the first
// failure. It ignores an attempt that was cancelled.
func (e *Edge) Note(err error, attributes ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil && e.since.IsZero():
		e.since = time.Now()
		e.Log.Log(context.Background(), e.Level, e.What+" failed", append(attributes, "error", err)...)
	case err == nil && !e.since.IsZero():
		e.Log.Info(e.What+" recovered", "after", time.Since(e.since).Round(time.Millisecond))
		e.since = time.Time{}
	}
}
