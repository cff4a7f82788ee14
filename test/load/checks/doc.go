//go:build linux

// Command checks measures the cost of one check, side by side with a tuned net/http client
// that does the same HEAD request, and prints the ratios in one table. Each client is a
// separate process, pinned to the first core; the target is pinned to another. The
// clients take turns several times, and the table shows medians of each turn's ratio,
// because the machine is never quiet.
//
//	go run ./test/load/checks
//	go run ./test/load/checks -only mix -flat 0                   only the mix
//	go run ./test/load/checks -mix 0 -rounds 0 -circle 0 -hold 0 -flat 1000000    only what a million checks leave
//	go run ./test/load/checks -profile cpu.prof -kind mix         only a profile, of time and of allocations
//
// The mix resembles the sites that checkers see (mix.go): names that are in no cache, 500
// certificates, redirects, IPv6, long heads, slow answers, failures.
//
// It owns its targets, and knows nothing of Jetmon except internal/probe.
package main
