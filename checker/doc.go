// Package checker is the role that probes: it takes assignments from coordinators,
// runs them, and checks the observations in. It is stateless: when it dies, the
// coordinator assigns its checks again. It decides nothing about a site, keeps no
// schedule, and must not know of outages or verifliers.
//
// # Coordinators
//
// Each coordinator address has its own link, at most 64 at the same time. HOST:PORT is
// one coordinator, whatever HOST resolves to at each connect. dns:///HOST:PORT stands for
// all addresses of HOST. The checker looks HOST up every 30 s, and within 5 s after a link
// has failed. A new address gets a link; an address missing from two answers in a row is
// left gracefully; a failed lookup changes nothing. Certificates must be for HOST. If HOST
// has addresses of both families, only those of IPv4 count.
//
// # Capacity
//
// Options.MaxInFlight limits the concurrent probes for all coordinators together. The
// connected coordinators have equal shares of it. The shares change when a coordinator
// comes or goes, so that one that takes over another's sites also gets the other's room. A
// share includes everything in flight here: unused credit, checks that wait or run, and
// finished ones that are not sent. A batch beyond the credit is released unseen.
//
// # Results
//
// The checker keeps results until their acknowledgement. A broken stream loses none: they
// are sent again on the next stream, under the same batch. It keeps at most five times the
// share, and nothing older than two minutes, since other checkers have long had the check.
//
// # Revoked and expired batches
//
// When a coordinator revokes a batch, or its lease ends, the checks that have not started
// are released at once, which frees their room. Running checks continue, and their results
// are sent: they count if no other checker was faster. Heartbeats and resumption name only
// batches that the checker still works on.
//
// # Our own network
//
// A failure may be our own. So the checker measures its own connectivity at once, and sends
// an extra heartbeat when that has changed. Then the coordinator knows before it checks the
// site again.
//
// # Goroutines
//
// In Run's group:
//   - per name, its follower, which looks it up. Ends with Run's context;
//   - per coordinator, the session loop, which is also the sender of the open stream.
//     Ends with Run's context, or when its address is gone from the name, after a graceful
//     departure of at most 9.5 s;
//   - per open stream, the receiver. Ends with the stream, which its sender always
//     cancels and waits for;
//   - the self-check, selfcheck.Monitor.Run. Ends with Run's context.
//
// Besides these, workers start when checks wait, at most MaxInFlight, and end when no
// check waits. Run waits for them after the sessions have ended and the remaining probes
// were cancelled.
package checker
