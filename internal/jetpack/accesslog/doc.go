// Package accesslog reads the access log of a web server and counts what explains
// trouble with Jetpack: the sizes of responses, the largest rather than the average, and
// the results of WordPress.com's calls.
//
// It reads the common and combined formats, plain or gzip, as a stream and in constant
// memory: sizes go into histograms, and URLs, user agents and nonces are limited in number.
// It counts and skips lines that it cannot parse.
//
// It drops queries before it keeps anything, because they contain tokens and signatures.
//
//	lines.go      splits a log into lines, decompressed
//	entry.go      parses one line
//	histogram.go  sizes, in constant memory
//	summary.go    the counter of all lines
//	traffic.go    counts per URL
//	calls.go      Jetpack's calls, and nonces that came twice
package accesslog
