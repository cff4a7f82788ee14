//go:build linux

// Command instant measures the coordinator's cost of a check: schedule, dispatch, stream,
// check-in. One process is the coordinator's side, the real engine behind the real stream
// server on loopback TCP. Its child is a handful of checkers that answer at once, and that
// decode no more of their messages than they must. getrusage separates their CPU times. For
// comparison a bare gRPC stream without an engine carries the same messages, as protobuf
// messages and as bytes that nobody reads, so that the figures are ratios.
//
//	go run ./test/load/fleet/instant
//	go run ./test/load/fleet/instant -for 10s -only engine -cpuprofile cpu.prof
//
// The schedule runs ahead of the clock as far as the checkers keep up, so that there is
// always work; leases and sessions last longer than the run.
//
// Goroutines: the driver of the schedule, which ends with the measurement, and those of
// the gRPC server and client, which end with their process's part.
package main
