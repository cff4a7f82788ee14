// Package coordinator is the role that decides: it schedules checks and hands them out,
// judges the results, stores what changed, notifies WordPress.com, and serves the public
// API. It is the only writer.
//
// This package only connects the parts: rules decide, the engine holds the live state, and
// everything slow (panel, committer, checkpoint, notify, ownership) runs beside it, so that no
// check waits for a veriflier, WordPress.com or the database. Other coordinators are asked
// through peers.
//
//	checkers <-> edge/stream <-> engine -> edge/panel <-> verifliers
//	                             |    ^
//	                             v    '-- rows of the table, read by state/loader
//	         state/committer, state/checkpoint -> state/store -> edge/notify -> WordPress.com
//
// Goroutines, all under Run: the gRPC servers (one for everybody, and one without the
// AssignmentService if it has listeners), the clock (Engine.Tick), and the Run methods of
// pulse, panel, loader, retention, upkeep, watchdog, committer, checkpoint, notify and ownership.
// When ctx ends they stop in stages. First the servers (checkers leave), the clock and all
// that finds new work. Then the committer writes what was decided, the checkpoint what is known
// of sites in trouble, and notify delivers. At last ownership gives the shards back.
package coordinator
