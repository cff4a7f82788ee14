// Package veriflier is the role that gives independent opinions: each call of
// VeriflierService.Verify checks one target once, from the veriflier's own place. It has
// no schedule, no database and no memory of sites. It only remembers its answers of the
// last minute by request id, so that a repeated request causes no second check.
//
// An answer that a site is down includes a measurement of the veriflier's own connectivity.
// It makes that after the failure and before the answer is due.
//
// A failure that rests on how the answer was read is put to a second reader before the answer
// is given (internal/secondopinion): where that one sees a good page, the answer is UNKNOWN.
// Both share the budget of the check.
//
// It gives an opinion on one check and nothing more: the coordinator counts the votes and
// decides whether a site is down. It must not know of coordinators, outages or rounds.
//
// Goroutines, besides those of rpc.Server.Serve and selfcheck.Monitor.Run:
//   - one per running check, at most Options.MaxInFlight. It ends with its probe: at
//     the latest half a second after the check's budget, and up to selfcheck.Within
//     later when the site is down; or as soon as no caller waits for it, or when draining
//     takes too long;
//   - one for the control of a check whose second reader is asked meanwhile; the check's
//     goroutine waits for it;
//   - Run's own group: the server, the self-check, and the guard. The guard cuts the
//     remaining checks shortly before the server would cut their calls. All end after
//     Run's context has.
package veriflier
