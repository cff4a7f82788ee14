package rpc

import "time"

// defaultDeadline limits a unary call without a deadline, on either side.
const defaultDeadline = 30 * time.Second

// StopTimeout is how long Server.Serve waits for running calls after its context ended.
const StopTimeout = 8 * time.Second

// maxUnaryBytes bounds the request of a unary call. The largest that makes sense is a
// site with all that GetSite answers, below 64 KiB.
const maxUnaryBytes = 128 << 10

const (
	// maxValues bounds how many values a unary request has, at all depths: before it is
	// decoded, for a value of two bytes can become a message of eighty.
	maxValues = 10_000

	// maxErrorBytes bounds the trailers of a call that failed: with what else is in them
	// they stay within 8 KiB. maxViolations is how many fields at fault it names,
	// maxFieldBytes bounds a name and maxMessageBytes a text.
	maxErrorBytes   = 7 << 10
	maxViolations   = 10
	maxFieldBytes   = 200
	maxMessageBytes = 1024

	// maxMethodBytes bounds the name of a method, which gRPC repeats when it knows none.
	maxMethodBytes = 256

	// maxRequestBytes bounds what a server reads; the largest requests are batches
	// of the assignment stream.
	maxRequestBytes = 4 << 20
	// maxResponseBytes limits the messages that a client accepts. A page of 1000 sites, each
	// with an observation of ten long redirects, is smaller.
	maxResponseBytes = 16 << 20
	// maxHeaderBytes bounds the metadata of one call, which gRPC repeats where it does
	// not understand it.
	maxHeaderBytes = 8 << 10

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
