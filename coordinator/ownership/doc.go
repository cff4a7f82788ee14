// Package ownership keeps the shards of one coordinator: it claims them, renews
// their leases and says whether a shard may be written to at this moment.
//
// A lease lasts 15 s and is renewed every 5 s; a shard that could not be renewed
// for 10 s by the monotonic clock is treated as lost, before anybody else can have
// taken it. The store fences every write besides, so that a clock that lies can
// delay a change but never double it.
//
// One goroutine: Run, which ends with ctx and gives the shards back.
package ownership
