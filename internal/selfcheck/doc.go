// Package selfcheck measures a node's own connectivity, so that a node whose network
// is broken does not call other people's sites down. It probes a few anchors, sites
// that are known to work, all at once. Each anchor shows one or more things:
//
//	an anchor that answers correctly            the node reaches the Internet
//	an anchor whose host name resolves          its name servers work
//	an anchor at a literal IPv4 address         its IPv4 works
//	an anchor at a literal IPv6 address         its IPv6 works
//
// A node is healthy while it reaches an anchor and, if an anchor has a name, resolves a
// name. The report mentions a lost address family; that only discredits failures seen over
// that family. Measurements happen periodically, and at once after a failure (Refresh,
// Control), but on average at most once a second.
//
// It decides nothing about a monitored site and exports no metric; the readers of the
// report (heartbeats, a veriflier's answers) pass it on.
//
// Goroutines: Monitor.Run starts one per measurement, at most maxRounds, and each of these
// starts one per anchor. Each ends when its probe does, at the latest after Within or when
// Run's context ends; Run waits for all of them.
package selfcheck
