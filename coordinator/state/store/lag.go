package store

import "context"

// lagKey is the key of MayLag in a context.
type lagKey struct{}

// MayLag says that what is read with the context may be as of some seconds ago, so that a
// replica of the database may answer. Only who can miss the newest writes may say so, its own
// among them: somebody who looks at a list, not what decides, claims, loads or compares.
func MayLag(ctx context.Context) context.Context { return context.WithValue(ctx, lagKey{}, true) }

// Fresh takes MayLag back.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, lagKey{}, nil) }

// Lags reports whether a context is one of MayLag.
func Lags(ctx context.Context) bool { return ctx.Value(lagKey{}) != nil }
