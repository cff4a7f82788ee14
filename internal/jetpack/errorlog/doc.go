// Package errorlog reads the error log of a web server or of PHP and groups what it
// says by cause: what the site owner sees as a thousand lines are three troubles.
//
// It knows the forms of nginx, Apache and PHP-FPM, as a stream; entries over several
// lines (PHP's stack traces) are put together. Groups are bounded in number, and the one
// example kept of each has its secrets taken out.
//
//	entry.go   lines to entries
//	kind.go    the troubles that are known, with their explanations
//	redact.go  queries, tokens and signatures taken out
//	group.go   counting
package errorlog
