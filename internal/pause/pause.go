// Package pause waits for a time or for the end of a context, whichever comes first.
package pause

import (
	"context"
	"time"
)

// For waits for d. It reports whether ctx goes on; a d of 0 or less does not wait.
func For(ctx context.Context, d time.Duration) bool { return Or(ctx, d, nil) }

// Until waits until a time. It reports whether ctx goes on.
func Until(ctx context.Context, at time.Time) bool { return Or(ctx, time.Until(at), nil) }

// Or waits for d, or until cut is readable or closed; nil never is. It reports whether ctx
// goes on.
func Or(ctx context.Context, d time.Duration, cut <-chan struct{}) bool {
	if d <= 0 {
		// A timer of 0 that several goroutines of a synctest bubble wait for crashes the race
		// detector (golang/go issue 78156).
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-cut:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
