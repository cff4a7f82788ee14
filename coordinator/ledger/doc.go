// Package ledger writes what was decided to the store: status changes, which must
// not be lost, and the evidence of ballots that changed nothing, which is kept when
// it can be. The engine is never kept waiting; a store that is away delays the
// changes, and an operator alarm says so.
//
// Goroutines, all under Run: Options.Workers workers, which end with ctx after
// having tried for Options.Flush to write what is still queued.
package ledger
