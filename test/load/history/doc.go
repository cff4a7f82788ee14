//go:build linux

// Command history measures what it costs to keep every check, and to read it again, with a
// private MariaDB and the logbook of a coordinator that owns all shards.
//
//	go run ./test/load/history -sites 1000000
//	go run ./test/load/history -sites 10000000 -full 1
//
// First an hour of checks of all sites is noted, flushed every ten minutes, and folded, on a clock
// that does not wait: the program prints what was written, how many statements that took, and the
// time that it took. Then thirty days are written behind the logbook's back, of all sites of a few
// buckets turn by turn, and as summaries of a thousand sites in all buckets with the others of
// their parts; the rest of the database would only be more rows beside them. Reads of these are
// timed.
//
// Sites are in buckets by a hash of their ids. A site's checks take a time that is log-normal
// around its own median (sigma 0.25), the medians log-normal between sites (median 300 ms, sigma
// 0.8); one in 300 fails, one in 2,000 cannot tell.
//
// All traffic is on loopback. However this program ends, it ends the database that it started.
//
// Goroutines: none but those of the database's client.
package main
