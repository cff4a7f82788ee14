// Package coordinator is the role that owns the truth: it schedules and leases out
// checks, judges what comes back, stores what changed, tells WordPress.com, and
// serves the public API. It is the only writer.
//
// This package only wires: the live state is engine's, decisions are in the pure
// packages (schedule, lifecycle, quorum, dispatch), and everything slow has a room
// of its own (panel, committer, checkpoint, notify, ownership), so that nothing on the path
// of a check waits for a veriflier, WordPress.com or the database. What only another
// coordinator knows is asked of it (peers).
//
//	checkers <-> dispatch/stream <-> engine -> panel  <-> verifliers
//	                                 |    ^
//	                                 v    '-- rows of the table, read by loader
//	                                 committer, checkpoint -> store -> notify -> WordPress.com
//
// Goroutines, all under Run's errgroup: the gRPC servers (one for everybody, and one without
// the AssignmentService if there are listeners for it), the clock (Engine.Tick), and the
// Run methods of loader, panel, expiry, deletion, committer, checkpoint, notify and ownership.
// When ctx ends they stop in order: first the server (checkers leave), the clock, the
// loader, the panel, the expiry and the deletion; then the committer writes what was decided;
// then the deliverer and, last, the shards are given back.
package coordinator
