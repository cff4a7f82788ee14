// Package checkpoint keeps in the store what the engine knows of sites in trouble, every
// two seconds, so that the next process goes on with a confirmation where this one was
// killed. Healthy sites are never written.
//
// It is behind everything else: nothing waits for it, and when the store does not take
// a memo it is written later. A shard that cannot be written holds up no other shard, and
// a memo that the store refuses no other memo. It decides nothing; what is worth keeping
// is engine's to say.
//
// Goroutines: Run, which ends with ctx after a last round, and up to four that write the
// shards of one round and end with it.
package checkpoint
