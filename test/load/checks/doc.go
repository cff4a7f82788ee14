//go:build linux

// Command checks measures the cost of one check, side by side with a tuned net/http client
// that does the same HEAD request, and prints the ratios in one table. Each client is a
// separate process, pinned to the first core; the target is pinned to another. The
// clients take turns several times, and the table shows medians of each turn's ratio,
// because the machine is never quiet.
//
//	go run ./test/load/checks
//	go run ./test/load/checks -rounds 0 -hold 0 -flat 1000000    only what a million checks leave
//	go run ./test/load/checks -profile cpu.prof -kind tls         only a profile
//
// It owns its targets, and knows nothing of Jetmon except internal/probe.
package main
