// Package committer writes what was decided to the store: status changes, which must
// not be lost, and the evidence of ballots that changed nothing, which is kept when
// it can be. The engine is never kept waiting; a store that is away delays the
// changes, an operator alarm says so, and Full says when the engine should decide
// nothing new.
//
// Each shard has a queue of its own. A worker takes what waits there, up to a hundred
// changes, and commits it as one group: a change that is alone goes alone and at once,
// a mass outage goes in hundreds. One group a shard is under way at a time, since the
// fence would make a second one wait in the database. A group that fails goes back
// and its shard rests for a while, so that no shard waits for another one's trouble;
// the next try is half as large, so that a store that is slow, or a change that it
// cannot take, does not hold up the rest. While a shard is not surely ours nothing of it
// is tried. A change is written in the tenure in which it was decided or never: it is void
// when the shard is forgotten, and when it turns out to be ours in a later tenure.
//
// Goroutines, all under Run: Options.Workers workers, which end with ctx after
// having tried for Options.Flush to write what is still queued.
package committer
