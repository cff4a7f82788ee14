// Package checkpoint writes the engine's snapshots of sites in trouble to the store every
// two seconds, so that after a kill the next process resumes a confirmation where this one
// stopped. It never writes healthy sites.
//
// # The age of a snapshot
//
// A stored snapshot is at most two seconds old, plus the time to write those that have
// waited longer: rounds follow one another while there is more, and each shard's oldest go
// first. Two cores that also run the database write about 60,000 snapshots a second, so a
// burst of 150,000 changes is stored within five seconds. An older snapshot means that the
// database does not keep up.
//
// # Priority
//
// Nothing waits for this package: when the store does not take a snapshot, it is written
// later. A shard that cannot be written does not delay other shards, nor a snapshot that
// the store refuses other snapshots. The engine decides what is worth keeping.
//
// Goroutines: Run, which ends with ctx after a last round, and up to four that write the
// shards of one round and end with it. A round takes its snapshots batch by batch, so that
// the engine is never locked for long.
package checkpoint
