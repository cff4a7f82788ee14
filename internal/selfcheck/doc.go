// Package selfcheck measures a node's own connectivity, so that a node whose network
// is broken does not call other people's sites down. It probes a few anchors, sites
// that are known to work, and reports whether at least one answered lately.
//
// It decides nothing about a monitored site and exports no metric; who reads the
// report (heartbeats, answers of a veriflier) passes it on.
//
// Goroutines: Monitor.Run starts one per anchor and round. Each ends when its probe
// does, at the latest after the round's timeout or when Run's context ends; Run waits
// for all of them.
package selfcheck
