// Package checkpoint keeps in the store what the engine knows of sites in trouble, every
// two seconds, so that the next process goes on with a confirmation where this one was
// killed. Healthy sites are never written.
//
// It is behind everything else: nothing waits for it, and when the store does not take
// a memo it is written later. It decides nothing; what is worth keeping is engine's to say.
//
// One goroutine: Run, which ends with ctx after a last round.
package checkpoint
