// Package jetpack finds out why Jetpack and WordPress.com do not talk to a site. A
// Diagnoser walks the way that a call of WordPress.com takes and says at each step what
// was seen, what it means and what to do:
//
//	wayin.go     1 the way in: DNS, TCP, TLS, redirects, HEAD and GET, firewall, IPv6
//	endpoint.go  2 xmlrpc.php, its detour, the REST API, RSD
//	calls.go     3 Jetpack's answer, unsigned and signed; the site's clock
//	metadata.go  4 what WordPress.com knows of the site
//	sync.go      5 the sync queue
//	logs.go      6 the server's logs
//
// finding.go holds the result, cause.go names the most likely cause. All connections go
// where the check engine has been and its address policy allows (exchange.go): a host is
// probed first, and calls go to the address that was probed. Calls never follow
// redirects. No finding holds a secret.
//
// The packages below are its parts, of use alone as well: signature (signed requests,
// both sides), xmlrpc, block (who is in the way), syncqueue, accesslog, errorlog, and
// fakejetpack (a site to try things on).
//
// It starts no goroutines of its own.
package jetpack
