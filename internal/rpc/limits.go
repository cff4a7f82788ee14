package rpc

import "time"

// DefaultDeadline limits a unary call without a deadline, on either side.
const DefaultDeadline = 30 * time.Second

// StopTimeout is how long Server.Serve waits for running calls after its context ended.
const StopTimeout = 8 * time.Second

const (
	// maxRequestBytes limits the messages that a server accepts; the largest are batches
	// on the assignment stream.
	maxRequestBytes = 4 << 20
	// maxResponseBytes limits the messages that a client accepts. A page of 1000 sites, each
	// with an observation of ten long redirects, is smaller.
	maxResponseBytes = 16 << 20
	// maxHeaderBytes limits the metadata of one call.
	maxHeaderBytes = 32 << 10

	// defaultStreams is the default number of open calls per connection.
	defaultStreams = 1000

	connectTimeout = 5 * time.Second
	maxBackoff     = 5 * time.Second

	// Keepalive: a client pings a silent connection, and a server a silent client, so
	// that both notice a vanished peer within half a minute. The shortest interval that a
	// server tolerates (minPing) is well below that of our clients (clientPing).
	clientPing  = 20 * time.Second
	serverPing  = 20 * time.Second
	pingTimeout = 10 * time.Second
	minPing     = 10 * time.Second

	// abandonTimeout is how long handlers may take to return after their contexts ended.
	abandonTimeout = time.Second

	// A handler's context ends before its caller's deadline, by 1/shaveShare of the remaining
	// time but at most maxShave, so that the answer arrives before the caller gives up.
	shaveShare = 20
	maxShave   = 200 * time.Millisecond
)
