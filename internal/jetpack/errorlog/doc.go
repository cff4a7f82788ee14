// Package errorlog reads the error log of a web server or of PHP and groups its entries
// by cause: a thousand lines may be only three troubles.
//
// It reads the formats of nginx, Apache and PHP-FPM as a stream, and joins entries of
// several lines (PHP's stack traces). The number of groups is limited, and the one example
// of each has its secrets removed.
//
//	entry.go   lines to entries
//	kind.go    the known troubles, with their explanations
//	redact.go  removes queries, tokens and signatures
//	group.go   counting
package errorlog
