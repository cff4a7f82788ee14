//go:build linux

// Command fleet measures one real coordinator process at full size, between a private
// MariaDB with many rows of the legacy table and simulated checkers on the real stream. It
// prints the coordinator's costs (CPU, memory, database) and its punctuality, as reported
// by itself and as seen by the checkers.
//
//	go run ./test/load/fleet -sites 2000000 -interval 5m -for 6m -checkers 4
//	go run ./test/load/fleet -sites 200000 -interval 1m -for 4m -capacity 1700
//
// With -capacity there are three phases of length -for: the checkers keep up, then they
// answer at most that many checks per second, then they keep up again.
//
// All traffic is on loopback, and no simulated check opens a socket. Everything is limited
// in time. However this program ends, it ends the processes that it started by their
// process ids, and removes the database with its directory.
//
// Goroutines, all ended before the program: for each checker a receiver and a sender,
// which end with its stream; the reader of the coordinator's log, which ends with the
// coordinator; and a profile being fetched, which ends with its deadline.
package main
