// Package scenario tells stories of the whole system and looks whether they come true:
// what WordPress.com, an admin and a site owner would see, from outside only. It tests
// no part by itself; the parts do that.
//
// Each story is told over a system, which is one of three: all roles in this process
// (internal/cluster, SQLite), `jetmon dev` as a process, or the four roles as processes
// over TCP (MariaDB or SQLite). Targets, name servers and WordPress.com stand on loopback.
package scenario
