// Package errorlog reads the error log of a web server or of PHP and groups its entries
// by cause: a thousand lines may be only three troubles.
//
// It reads the formats of nginx, Apache (2.2 and 2.4), PHP, and PHP-FPM with its slow log as
// a stream, and joins entries of several lines (PHP's stack traces). The number of groups is
// limited, and the one example of each has its secrets removed.
//
//	entry.go   lines to entries
//	kind.go    recognises the known troubles
//	troubles.go, upstream.go
//	           the known troubles, with the causes that they show
//	about.go   what an entry is about, and what it blames
//	redact.go  removes queries, tokens and signatures
//	group.go   counting
package errorlog
