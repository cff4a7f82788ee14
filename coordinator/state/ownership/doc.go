// Package ownership keeps the shards of one coordinator: it shares them with the other
// coordinators, renews their leases, and reports whether a shard may be written to at this
// moment. It does not know what a shard holds. Other packages use it through shard.Holder.
//
// # Leases
//
// A lease lasts 15 s and is renewed every 5 s. A shard whose lease could not be renewed for
// 10 s by the monotonic clock is uncertain: Fence reports false before another coordinator
// can have taken the shard. So a process that was stopped for 20 s knows, when it continues,
// that its shards are uncertain, before it reads anything. In addition the store checks the
// fence of every write: a clock that is wrong can delay a change but never double it.
//
// An uncertain shard is not dropped. When the database is away for everybody, nobody can
// have taken it, and its checks must go on; their results wait in the committer. The rule:
//
//   - a renewal succeeds: nobody has taken the shard (its term is the same); it is certain
//     again, with all that is in memory;
//   - a renewal is Fenced, or a lease of a higher term is read: another coordinator has the
//     shard; it is dropped at once;
//   - the database does not answer: the shard is kept, uncertain, however long that lasts.
//
// A coordinator that is the only one cut off from the database therefore checks the same
// sites as the new owner until it reaches the database again. It can write nothing in that
// time, and what it has queued is discarded in the end.
//
// After more than 5 s without an answer of the database, expired leases of others are not
// claimed for 6 s: their owners could not renew them either, and are about to.
//
// Each lease is renewed by a statement of its own, which waits for no other lease: every
// commit locks the row of its shard. One statement for all leases would wait for all those
// locks, and if it hung it would cost every shard.
//
// # Sharing
//
// Each coordinator announces itself with the range of shards that it takes, reads every
// second the members and the leases, and does its own part of the plan of package plan: it
// claims the free shards that it should have, and gives up those that are too many, at most
// four at a time, whether or not their sites are loaded yet. A static range is just the
// range of one member.
//
// The leases of a coordinator that dies end at most 15 s later; the others claim them
// within a second. A coordinator that ends in order retires first and then releases.
//
// # The states of a shard
//
//	claimed -> held: Gained -----------------------> lost: Lost
//	                    '-> leaving: Lost -> releasing -> gone
//
// Gained reports at once that a shard is ours, and Lost that it is lost or about to leave.
// Each is called once a tenure, in this order, whatever the coordinator has done with the
// shard since; only at the end of Run there is no Lost. While a shard is leaving in order,
// its lease is renewed and Fence proves it, so that Lost can finish pending writes. The
// shard is released only after Lost has returned; then another coordinator may claim it.
//
// Each tenure has a term of its own, which Fence and Held report even while the shard is
// uncertain: a caller that stores it with a decision knows later whether it still owns that
// decision.
//
// Two processes under one name are a mistake that ownership survives: the later one takes
// the shards, and the earlier one waits for its leases to end.
//
// # Goroutines
//
//   - Run shares; it ends with ctx, waits for the others and gives the shards back;
//   - one renews and announces, until ctx ends;
//   - one reads the directory when Refresh asks for it, until ctx ends;
//   - one a shard, at most 32, calls Lost and gives the shard back.
//
// Each calls the store with a deadline of 4 s, at most eight calls of a kind at once; a
// read for Refresh has a deadline of 1 s.
package ownership
