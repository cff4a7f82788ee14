// Package checkpoint keeps in the store what the engine knows of sites in trouble, every
// two seconds, so that the next process goes on with a confirmation where this one was
// killed. Healthy sites are never written.
//
// # How old it is
//
// A memo is at most two seconds old, and as much older as it takes to write those that
// have waited longer: rounds follow one another while there is more, and the oldest of a
// shard are first. Ours are written at about 60,000 a second by two cores that are the
// database, too; so a burst of 150,000 changes is still kept within five seconds. What is
// older than that says that the database does not keep up.
//
// # What holds it up
//
// It is behind everything else: nothing waits for it, and when the store does not take
// a memo it is written later. A shard that cannot be written holds up no other shard, and
// a memo that the store refuses no other memo. It decides nothing; what is worth keeping
// is engine's to say.
//
// Goroutines: Run, which ends with ctx after a last round, and up to four that write the
// shards of one round and end with it. A round takes what it writes batch by batch, so
// that the engine is never locked for long.
package checkpoint
