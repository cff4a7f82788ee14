// Package accesslog reads the access log of a web server and counts what explains
// trouble with Jetpack: how large responses are, at most and not on average, and how
// the calls of WordPress.com went.
//
// It reads the common and combined formats, plain or gzip, as a stream, in memory that
// does not grow with the log: sizes go into histograms, and URLs, user agents and nonces
// are bounded in number. Lines that it cannot read are counted and passed over.
//
// Queries are thrown away before anything is kept, for they hold tokens and signatures.
//
//	lines.go      a log as lines, unpacked
//	entry.go      one line taken apart
//	histogram.go  sizes, in bounded memory
//	summary.go    what is kept of all lines
//	traffic.go    per URL
//	calls.go      calls of Jetpack, and nonces that came twice
package accesslog
