// Package demo lets `jetmon dev` work without the Internet: it serves a few web sites to
// monitor, and a WordPress.com that accepts notifications and lists them.
//
// It owns nothing of the product. The inbox stands for the peer, so it has its own parser
// for v1's notifications and shares no code with their writer. Tests also use it as a
// WordPress.com that fails.
//
// Goroutines: Run starts one per listener, and net/http starts more below it. They end
// when Run's context does, at the latest stopTime later.
package demo
