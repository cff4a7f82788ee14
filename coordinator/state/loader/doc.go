// Package loader brings the rows of the table to the engine: it loads the sites of the
// shards that become ours, and looks again and again for what WordPress.com changed. It
// decides when to read what, and never what a row means.
//
// # Loading
//
//	Gained -> waits -> read, with those that came meanwhile -> on the schedule -> Lost
//
// Shards come one by one and are loaded in groups: what comes while others are read is
// read next, in one go. So a coordinator that starts, or whose database comes back, reads
// the whole table in its own order, which is several times as quick as following an index
// to each row. When a group fails it is tried again, with all that has come since.
//
// A shard that is lost meanwhile does not stop the reading of the others: what is read of
// it is void. Edits that are made meanwhile count for more than what is read.
//
// What an earlier owner knew of sites in trouble is recalled before the first of their
// rows is put, and what is left of it is forgotten after the last one.
//
// # Reading again
//
// The table is looked at in its own order, in stripes of some thousand rows, each once a
// period. The database makes digests of what can be edited, one for each shard in a
// stripe; where one is not as it was, the sites of that shard in that stripe are read, as
// they were at the moment of the digest. So a look costs the database about a microsecond
// a row, and an edit the reading of some hundred rows.
//
// # Goroutines
//
// Run has one that loads, of a few shards up to four at once, and one that looks again,
// with up to four that read. All end with its ctx.
package loader
