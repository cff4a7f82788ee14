// Package probe is the HTTP check engine: given one check.Target it tells what the
// site did, as one check.Observation. Checker and veriflier run it for every check.
//
// It owns the verdict of a single look at a site from a single place: name
// resolution, address policy, connection, TLS, redirects, body rules, recognition of
// firewalls. It does not remember sites, does not vote, does not retry over time.
//
// The way of one check through the files:
//
//	probe.go     budget, cancellation, the finished Observation
//	strategy.go  HEAD, GET, or HEAD put to a GET in the same budget
//	follow.go    one method from the first URL over redirects to a final answer
//	place.go     URL policy: what may be asked for, and where it is
//	address.go   address policy: where a connection may go
//	resolve.go   names to addresses; nameserver.go asks, system.go is the machine's part
//	engine.go    the engine interface; netengine.go the one over package net
//	connect.go   happy eyeballs; secure.go the TLS handshake
//	head.go      the response's head; body.go its body; texts.go body rules
//	firewall.go  who blocked us
//	classify.go  errors by type to FailureKind and reason
//
// # Kinds of time-out
//
// When the target's budget ends, the phase decides: in DNS it is DNS/timeout, while
// connecting CONNECT/timeout, afterwards TIMEOUT with the reason handshake, request,
// first_byte, header or body. When the caller's context ends first, nothing is known
// about the site: OutcomeUnknown, reason cancelled. A caller whose deadline is not
// before the budget's does not count as first.
//
// # Connections lost
//
// Reset while or after connecting and before the head is complete is CONNECT/reset;
// in the handshake it is TLS/reset; in the body PARTIAL/reset. An orderly close
// without a byte of answer is PROTOCOL/empty_reply.
//
// # Goroutines
//
// All of them end before Probe returns, or as soon as a pending system call notices
// that its context is cancelled:
//
//	lookup of AAAA     beside that of A; ends with the lookup
//	connect attempts   one for each address that is tried; end with the check
//	late GET           begun when a HEAD hangs for half of the budget; Probe waits for it
package probe
