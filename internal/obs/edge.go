package obs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Edge logs when something begins to fail and when it works again, and nothing in between.
// It is safe for concurrent use, and must not be copied.
type Edge struct {
	Log *slog.Logger
	// What names what fails: "reading the table".
	What string
	// Level of the first failure; the end is logged as information. The zero value is
	// information, too: give LevelWarn or LevelError.
	Level slog.Level

	mu    sync.Mutex
	since time.Time
}

// Note takes in how one attempt ended. Attributes are logged beside the first failure. An
// attempt that was cancelled tells nothing.
func (e *Edge) Note(err error, attributes ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil && e.since.IsZero():
		e.since = time.Now()
		e.Log.Log(context.Background(), e.Level, e.What+" fails", append(attributes, "error", err)...)
	case err == nil && !e.since.IsZero():
		e.Log.Info(e.What+" works again", "after", time.Since(e.since).Round(time.Millisecond))
		e.since = time.Time{}
	}
}

// Since returns when the present failure began; zero while all is well.
func (e *Edge) Since() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.since
}
