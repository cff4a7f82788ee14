// Package checker is the role that probes: it takes assignments from coordinators,
// runs them, and checks the observations in. It is stateless: what it holds when it
// dies is handed out again by the coordinator. It decides nothing about a site, keeps
// no schedule, and must not know of outages or verifliers.
//
// # Capacity
//
// Options.MaxInFlight bounds the probes that run at once, whoever asked for them. It
// is divided evenly between the coordinators that are connected at this moment, and
// divided again when one comes or goes, so that one that takes over another's sites
// gets the other's room as well. A coordinator's share counts everything that it has
// out with us: credit not used yet, checks that wait, run, or are finished and not
// sent. A batch over the credit is given back unseen.
//
// # What is kept, and for how long
//
// Results stay until their acknowledgement: a stream that breaks loses none, they are
// sent again on the next one, under the same batch. Kept are at most five times the
// share, and nothing older than two minutes, when its check is long in other hands.
//
// # Our own network
//
// A failure may be ours: it has our own connectivity measured at once, and a heartbeat
// says so out of turn when that has changed, so that the coordinator knows before the
// site is checked again.
//
// # Goroutines
//
// Under Run's group:
//   - per coordinator, the session loop, which is also the sender of the stream that is
//     open. Ends with Run's context, after an orderly leave of at most 9.5 s;
//   - per open stream, the receiver. Ends with the stream, which its sender always
//     cancels and waits for;
//   - the self-check, selfcheck.Monitor.Run. Ends with Run's context.
//
// Beside it, workers: started when checks wait, at most MaxInFlight, each ending when
// nothing waits any more. Run waits for them after the sessions have ended and what
// still ran was canceled.
package checker
