// Package plan decides which shards a coordinator should claim and which it should give up,
// so that the work is shared evenly.
//
// Every coordinator plans for itself from the members and leases that it has read, and all
// that have read the same reach the same result:
//
//   - a shard stays with the member that has it, if that member's range holds the shard;
//   - a free shard goes to the member with the fewest shards whose range holds it;
//   - then shards move, one by one, from a member to one that has at least two fewer, if
//     necessary through members whose ranges overlap both, until no move improves the balance.
//
// Members of the same range thus differ by one shard at most, and no shard moves that need
// not. Only its holder gives a shard up, and only from its own surplus; only the member that
// should have a shard claims it, and the store lets one of many claims win. So different
// views can make a move late or superfluous, but cannot make a shard go to and fro: the move
// back would need a difference of two shards the other way.
//
// A member whose announcement is about to expire gets no shards. A member with a fresh
// announcement keeps its shards for a while after a lease has expired, since its renewal may
// only be slow.
//
// The package is pure. It must not know how leases are kept.
package plan
