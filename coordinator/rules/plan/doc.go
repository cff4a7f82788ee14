// Package plan decides which shards a coordinator should claim and which it should
// give up, so that the work is shared evenly.
//
// Every coordinator plans for itself from what it has read, and all that have read the
// same come to the same result:
//
//   - a shard stays with the member that has it, if its range holds the shard;
//   - a shard that nobody has goes to the member with the fewest, whose range holds it;
//   - then shards move, one by one, from who has at least two more to who has fewer,
//     if need be over members whose ranges overlap both, until nothing can be evened.
//
// Members of the same range thus differ by one shard at most, and no shard moves that
// need not. Only its holder gives a shard up, and only for its own surplus; only who
// should have a shard claims it, and the store lets one of many win. So views that
// differ cause a move that is late or superfluous, and never one to and fro: the move
// back would need a difference of two shards the other way.
//
// A member that has not been heard of lately is not given anything, and one that has
// been is left what it has for a while though its lease has run out: its renewal may
// just be slow.
//
// The package is pure. It must not know how leases are kept.
package plan
