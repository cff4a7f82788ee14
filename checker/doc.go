// Package checker is the role that probes: it takes assignments from coordinators,
// runs them, and checks the observations in. It is stateless: what it holds when it
// dies is handed out again by the coordinator. It decides nothing about a site, keeps
// no schedule, and must not know of outages or verifliers.
//
// # Coordinators
//
// Each address has a link of its own, all at once, at most 64. An address HOST:PORT is
// one coordinator, whatever HOST resolves to at each connect. dns:///HOST:PORT is as
// many as HOST has addresses: it is looked up every 30 s, and within 5 s after a link
// has failed; an address that appears gets a link, one that was missing in two answers
// in turn is left in order, and a lookup that fails changes nothing. Certificates must
// be for HOST. Of a name with addresses of both families those of IPv4 are taken.
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
// # What is taken back
//
// A batch that its coordinator revokes, or whose lease is over, is given back at once
// as far as it has not begun, and makes room with that. What runs of it goes on, and its
// result is sent: it counts when nobody else was faster. Heartbeats and resumption name
// only what is still worked on.
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
//   - per name, its follower, which looks it up. Ends with Run's context;
//   - per coordinator, the session loop, which is also the sender of the stream that is
//     open. Ends with Run's context, or when its address is gone from the name, after an
//     orderly leave of at most 9.5 s;
//   - per open stream, the receiver. Ends with the stream, which its sender always
//     cancels and waits for;
//   - the self-check, selfcheck.Monitor.Run. Ends with Run's context.
//
// Beside it, workers: started when checks wait, at most MaxInFlight, each ending when
// nothing waits any more. Run waits for them after the sessions have ended and what
// still ran was canceled.
package checker
