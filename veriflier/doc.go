// Package veriflier is the role that gives second opinions: it answers
// VeriflierService.Verify, one check of one target a call, from where it stands. It
// has no schedule, no database and no memory of sites; what it remembers are its
// answers of the last minute, by request id, so that asking twice is checking once.
//
// An answer that a site is down carries a measurement of its own connectivity that was
// made after the failure was seen, and before the answer is due.
//
// It judges one check and nothing more: whether a site is down is decided by who
// counts the votes. It must not know of coordinators, outages or rounds.
//
// Goroutines, beside those of rpc.Server.Serve and selfcheck.Monitor.Run:
//   - one per running check, at most Options.MaxInFlight. It ends with its probe: at
//     the latest half a second after the check's budget, and up to selfcheck.Within
//     later when the site is down; or as soon as nobody waits for it any more, or when
//     draining takes too long;
//   - Run's own group: the server, the self-check, and the guard that cuts the checks
//     that still run shortly before the server would cut their calls. All end after
//     Run's context has.
package veriflier
