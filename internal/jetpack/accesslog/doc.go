// Package accesslog reads the access log of a web server and counts what explains
// trouble with Jetpack: the sizes of responses, the largest rather than the average, and
// the results of WordPress.com's calls.
//
// It reads the common and combined formats of nginx, Apache and Traefik, lines of JSON with
// the names that nginx, Apache, Caddy and Traefik are set up to use, and AWS's load balancer;
// plain or gzip, as a stream and in constant memory: sizes go into histograms, and URLs, user agents and nonces are limited in number.
// It counts and skips lines that it cannot parse.
//
// It drops queries before it keeps anything, because they contain tokens and signatures.
//
//	lines.go      splits a log into lines, decompressed
//	entry.go      parses one line of text
//	json.go       parses one line of JSON
//	balancer.go   parses one line of AWS's load balancer
//	moment.go     times and durations
//	server.go     who wrote the log
//	histogram.go  sizes, in constant memory
//	summary.go    the counter of all lines
//	traffic.go    counts per URL
//	calls.go      Jetpack's calls, and nonces that came twice
package accesslog
