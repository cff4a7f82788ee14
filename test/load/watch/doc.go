// Command watch measures WatchChanges: many who watch one coordinator over TCP while status
// changes are committed at a rate, to a MariaDB of its own or to SQLite.
//
// The changes are committed by this program, under the terms of the coordinator, so that for
// the feed they are those of another coordinator: it finds them by polling. Each watcher checks
// that it sees each event of each site once and in order. Some watchers stop reading for a time:
// they must be dropped, and go on with their token. The program prints CPU and memory of the
// coordinator over time, how long events took from their commit to a watcher, and what was
// lost; it fails if anything was. It ends by itself, and uses loopback alone.
package main
