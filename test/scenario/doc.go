// Package scenario tests the whole system by stories: what WordPress.com, an admin and a site
// owner see, from outside only. Single parts have their own tests.
//
// A story runs on one of three systems: all roles in this process (internal/cluster, SQLite),
// `jetmon dev` as a process, or the four roles as processes over TCP (MariaDB or SQLite).
// Targets, name servers and WordPress.com are on loopback.
//
// Stories about failures run on a grid: several coordinators on their own MariaDB, checkers
// connected to all of them, and verifliers. Each is a process, and every connection between
// two of them runs over a wire that can be cut. Hundreds of sites record the times of their
// checks. The tests log measured times: go test -v shows them.
package scenario
