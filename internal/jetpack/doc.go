// Package jetpack finds out why WordPress.com and the Jetpack plugin of a site cannot
// talk to each other. A Diagnoser follows the path of a call from WordPress.com. Each step
// reports what it saw, what that means and what to do:
//
//	wayin.go       1 the way in: DNS, TCP, TLS, redirects, HEAD and GET, firewall, IPv6
//	place.go       1 the home page's text; where WordPress's files and its REST API are
//	endpoint.go    2 xmlrpc.php, its detour, RSD
//	restindex.go   2 the REST API
//	connection.go  3 whether Jetpack is active and connected, by what it tells anybody
//	signed.go      3 signed calls with each token
//	refused.go     3 why a signature is refused: the search for the mistake
//	clock.go       3 the site's clock
//	metadata.go    4 what WordPress.com knows about the site
//	sync.go        5 the site's own view: synchronisation, WP-Cron, modules
//	logs.go        6 the server's logs
//
// finding.go defines the result, and cause.go picks the most likely cause; the texts of
// causes stand in the files whose names end in cause.go, and beside what recognises them in
// the packages below. What the home page says explains what xmlrpc.php does not say, as in
// maintenance. A diagnosis sends at most maxRequests requests. Connections go
// only to addresses that the check engine has connected to, so its address policy applies
// (exchange.go): the engine probes a host first, and calls go to the probed address. Calls
// never follow redirects. No finding contains a secret.
//
// The packages below it are its parts, and also useful alone: signature (signed requests,
// both sides), mistake (why a site refuses good ones), xmlrpc, block (who is in the way),
// syncqueue, accesslog, errorlog, and fakejetpack (a site to try things on).
//
// It starts no goroutines of its own.
package jetpack
