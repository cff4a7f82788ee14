// Package feed follows the committed events of all coordinators, for those who watch. It owns
// when the database is read for them, what of it is kept in memory, and that a watcher gets
// each event once. It decides nothing about who may see what, and knows no wire.
//
// One reader serves all: it reads what is new, at once when this coordinator has committed
// something and every quarter of a second for the sake of the others, and adds it to a ring of
// batches, which are decoded and encoded once. While nobody watches it reads nothing. A
// watcher that begins further back than the ring reads pages of the database, a few watchers
// at a time, until it has reached the ring. One that falls out of the ring is dropped: to read
// the database for whoever is slow would cost most when there is most to do.
//
// Events of a shard become visible in the order of their positions, and a reading is of one
// moment. So positions, one a shard, say exactly what was read, whoever owned the shards.
//
// Goroutines: none; Run is one, and ends with ctx.
package feed
