//go:build linux

// Command outage measures a mass outage from end to end: all sites of one host fail at once while
// WordPress.com is away, WordPress.com comes back, and later the host does. A coordinator, two
// checkers and three verifliers are the real program, with a private MariaDB; the sites, the
// endpoint of WordPress.com and the webhook of the operators are in this program.
//
//	go run ./test/load/outage
//	go run ./test/load/outage -sites 2000 -others 500
//
// It prints how many messages operators got, at which rate WordPress.com was told, how long
// failures and recoveries took from their commit to there, and how punctual the checks were. It
// ends with an error when something was told twice, not at all or out of order.
//
// All traffic is on loopback, and each phase is limited in time. However this program ends, its
// processes end, and the database is removed.
//
// Goroutines: those of its HTTP servers, and the sampler of the coverage, all ended before it.
package main
