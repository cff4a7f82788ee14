// Package committer writes decisions to the store: status changes, which must not be lost,
// and the evidence of ballots that changed nothing, which may be. The engine never waits
// for it. While the store is away, changes wait and an operator alarm reports it; Full
// reports when the engine should stop deciding.
//
// Each shard has a queue of its own. A worker takes up to a hundred waiting changes and
// commits them as one group: a single change goes alone and at once, a mass outage goes in
// hundreds. Each shard has at most one group under way, since the fence would make a second
// one wait in the database. A group that fails returns to its queue and its shard backs
// off, so that no shard waits for another's trouble. The next group is half as large, so
// that a slow store, or a change that the store cannot take, does not delay the rest. The
// committer writes nothing for a shard while it is uncertain. It writes a change in the
// term in which it was decided or never: forgetting the shard discards the change, and so
// does a later term.
//
// Goroutines, all under Run: Options.Workers workers. After ctx has ended they try for
// Options.Flush to write what is still queued, and end.
package committer
