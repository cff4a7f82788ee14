// Package scenario tells stories of the whole system and looks whether they come true:
// what WordPress.com, an admin and a site owner would see, from outside only. It tests
// no part by itself; the parts do that.
//
// Each story is told over a system, which is one of three: all roles in this process
// (internal/cluster, SQLite), `jetmon dev` as a process, or the four roles as processes
// over TCP (MariaDB or SQLite). Targets, name servers and WordPress.com stand on loopback.
//
// Stories of what dies are told over a grid: several coordinators on a MariaDB of its own,
// checkers connected to all of them, verifliers, each a process, and every connection
// between two of them over a wire that can be cut. Hundreds of sites know when they were
// checked. Times that are measured are logged: go test -v shows them.
package scenario
