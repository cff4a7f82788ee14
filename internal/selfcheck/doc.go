// Package selfcheck measures a node's own connectivity, so that a node whose network
// is broken does not call other people's sites down. It probes a few anchors, sites
// that are known to work, all at once and several ways:
//
//	one that answers as it should     the node reaches the Internet
//	one with a host name that is found   its name servers work
//	one at a literal IPv4 address     its IPv4 works
//	one at a literal IPv6 address     its IPv6 works
//
// A node is healthy while it reaches an anchor and, if one has a name, finds a name. A
// family that is lost is said in the report; it speaks against a failure that was seen
// over that family only. Measurements come round by the clock, and at once when a
// failure was seen (Refresh, Control), but in the long run not more than one a second.
//
// It decides nothing about a monitored site and exports no metric; who reads the
// report (heartbeats, answers of a veriflier) passes it on.
//
// Goroutines: Monitor.Run starts one per measurement, at most maxRounds, and under it
// one per anchor. Each ends when its probe does, at the latest after Within or when
// Run's context ends; Run waits for all of them.
package selfcheck
