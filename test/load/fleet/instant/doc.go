//go:build linux

// Command instant measures what the coordinator spends on a check: schedule, dispatch,
// stream, check-in. One process is the coordinator's side, the real engine behind the
// real stream server on loopback TCP; its child is a handful of checkers that answer at
// once, and that read and write their messages without decoding more than they must. CPU
// time is told apart by getrusage. The same messages are then carried by a bare gRPC
// stream without an engine, as protobuf messages and as bytes that nobody reads, so that
// the figures are ratios.
//
//	go run ./test/load/fleet/instant
//	go run ./test/load/fleet/instant -for 10s -only engine -cpuprofile cpu.prof
//
// The schedule runs ahead of the clock, as far as checks are made, so that it always has
// work; leases and sessions last longer than the run.
//
// Goroutines: the driver of the schedule, which ends with the measurement, and those of
// the gRPC server and client, which end with their process's part.
package main
