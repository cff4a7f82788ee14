// Package loader brings the rows of the table to the engine: it loads the sites of the
// shards that become ours, and then reconciles them with the edits that WordPress.com makes
// in the table. It decides when to read which rows, and never what a row means.
//
// # Loading
//
//	Gained -> waits -> read, with the shards gained meanwhile -> on the schedule -> Lost
//
// The loader reads shards in groups: shards that are gained while others are read form the
// next group. So a coordinator that starts, or whose database comes back, reads the whole
// table in its own order, which is several times as fast as following an index to each row.
// When a group fails, the loader reads it again together with all that was gained since.
//
// A shard that is lost during a read does not stop the read of the others; its rows are
// discarded. An edit that is made during a read takes precedence over the rows read.
//
// The engine recalls the last owner's snapshots of sites in trouble before the first of
// their rows is put, and drops what is left of them after the last row.
//
// # Reconciling
//
// The loader polls the table in its own order, in ranges of some thousand rows, each once a
// period. The database computes digests of the columns that can be edited, one for each
// shard in a range; where a digest has changed, the loader reads the sites of that shard in
// that range as they were at the moment of the digest. So a poll costs the database about a
// microsecond a row, and an edit costs the reading of some hundred rows.
//
// Where a poll finds a change, the loader also has the store bring its index of hosts up to
// date, and once a tenure it notes that all hosts of a shard are indexed. Nobody waits for
// that: a failure is tried again with the next poll.
//
// # Goroutines
//
// Run has one that loads, which reads a few shards up to four at once, and one that
// reconciles, with up to four that poll. All end with its ctx.
package loader
