//go:build linux

// Command fleet measures one real coordinator process at size: a MariaDB of its own with
// so many rows of the legacy table, simulated checkers that speak the real stream, and
// the coordinator between them. It prints what the coordinator costs (CPU, memory,
// database) and how punctual it is, as it says itself and as the checkers saw it.
//
//	go run ./test/load/fleet -sites 2000000 -interval 5m -for 6m -checkers 4
//	go run ./test/load/fleet -sites 200000 -interval 1m -for 4m -capacity 1700
//
// With -capacity there are three phases of -for: the checkers keep up, then they answer
// so many checks a second and no more, then they keep up again.
//
// All is on loopback, and no simulated check opens a socket. Everything is bounded in
// time; what was started is ended by its process id, and the database with its directory
// goes, however this program ends.
//
// Goroutines, all ended before the program: for each checker a receiver and a sender,
// which end with its stream; the reader of the coordinator's log, which ends with the
// coordinator; and a profile being fetched, which ends with its deadline.
package main
