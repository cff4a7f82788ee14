// Package cadence holds the times of the stream between a coordinator and its checkers, which
// both sides must know and which only work together. cadence_test.go states how they must
// fit. It decides nothing.
//
// A coordinator announces Heartbeat and Lease in its Welcome; a checker uses its own only
// with a coordinator that announces none.
package cadence

import "time"

const (
	// HelloWithin is how long a new stream may be silent before the coordinator ends it.
	HelloWithin = 5 * time.Second

	// Heartbeat is the time between two heartbeats of a checker. The coordinator answers each.
	Heartbeat = 5 * time.Second

	// SilentBeats is how many heartbeats may pass without a word before one side gives the
	// other up: one heartbeat may be lost, and the next one late.
	SilentBeats = 3

	// SessionTimeout is the silence after which the coordinator gives a checker up, and hands
	// its checks out to others.
	SessionTimeout = SilentBeats * Heartbeat

	// Lease is how long a batch stays checked out: its checks wait for a free worker, run,
	// and are checked in. It ends the checks that a live checker has forgotten.
	Lease = time.Minute

	// SendWithin is how long a checker may need to send one message. Then the connection lives,
	// and the coordinator does not.
	SendWithin = 8 * time.Second

	// Drain is how long a checker has to check in its open batches when the coordinator stops.
	// It cannot be as long as a check may take (10 s, or 20 s for a re-check): the whole
	// shutdown has 10 s, half of which is for writing and delivering the results. Meanwhile
	// nobody checks these sites.
	Drain = 4 * time.Second
)
