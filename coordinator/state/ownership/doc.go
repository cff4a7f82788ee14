// Package ownership keeps the shards of one coordinator: it shares them with the other
// coordinators, renews their leases, and says whether a shard may be written to at this
// moment. It must not know what a shard holds. Everybody else asks it through shard.Holder.
//
// # Leases
//
// A lease lasts 15 s and is renewed every 5 s. A shard that could not be renewed for 10 s
// by the monotonic clock is unsure: Fence answers false, before anybody else can have
// taken it. So a process that was stopped for 20 s knows when it goes on, before it has
// heard of anybody. The store fences every write besides: a clock that lies can delay a
// change but never double it.
//
// An unsure shard is not dropped. When the database is away for everybody, nobody can
// have taken it, and checks must go on; what they find waits in the committer. The rule:
//
//   - a renewal succeeds: nobody has taken it (the term is the same); it is sure again,
//     with all that is in memory;
//   - a renewal is Fenced, or a lease of a higher term is read: somebody else has it; it
//     is dropped at once;
//   - the database answers nothing: it is kept, unsure, however long that lasts.
//
// A coordinator that alone is cut off from the database therefore checks beside the new
// owner until it is heard of again. It can write nothing meanwhile, and what it would
// have written is void in the end.
//
// After more than 5 s without a look at the database, leases of others that have run out
// are let be for 6 s: they too could not renew theirs, and are about to.
//
// Each lease is renewed by a statement of its own, and waits for nobody else's: every
// commit locks the row of its shard, and one statement for all would wait for all of
// them, and one that hangs would cost every shard.
//
// # Sharing
//
// Each coordinator announces itself with the range of shards that it takes, looks every
// second at who is there and who has what, and does its own part of package plan's plan:
// it claims what it should have and what is free, and gives up what is too much, at most
// four at a time, whether their sites are being checked yet or not. A static range is
// just that: the range of one member.
//
// The leases of a coordinator that dies end at most 15 s later; the next look claims
// them. One that ends in order retires first and releases then.
//
// # The way of a shard
//
//	claimed -> held: Gained -----------------------> lost: Lost
//	                    '-> leaving: Lost -> releasing -> gone
//
// Gained says at once that a shard is ours, and Lost that it is not to be any more. Each
// is called once a tenure, in this order, whatever the coordinator has done with the shard
// meanwhile; only when Run ends there is no Lost. While a shard is leaving in order its
// lease is renewed and Fence proves it, so that Lost can finish what is to be written.
// Only when Lost has returned it is released, and another may claim it.
//
// Each tenure has a term of its own, which Fence and Held tell also while the shard is
// unsure: who notes it with what he decides knows later whether that is still his to do.
//
// Two processes under one name are a mistake that is survived: the later one takes the
// shards, and the earlier waits for its leases to end.
//
// # Goroutines
//
//   - Run looks; it ends with ctx, waits for the others and gives the shards back;
//   - one renews and announces, until ctx ends;
//   - one reads the directory when Refresh asks for it, until ctx ends;
//   - one a shard, at most 32, calls Lost and gives it back.
//
// Each calls the store with a deadline of 4 s, at most eight calls of a kind at once;
// what Refresh asks for is read within 1 s.
package ownership
