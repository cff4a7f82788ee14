// Package probe is the HTTP check engine: it probes one check.Target and returns what
// the site did as one check.Observation. Checker and veriflier run it for every check.
//
// It owns the outcome of a single probe from a single node: name resolution, address
// policy, connection, TLS, redirects, body rules, recognition of firewalls. It does not
// remember sites, does not vote, and does not retry over time.
//
// One check passes through the files in this order:
//
//	probe.go     budget, cancellation, the finished Observation
//	strategy.go  HEAD, GET, or HEAD with a GET to confirm its failure in the same budget
//	follow.go    one method, from the first URL through redirects to a final response
//	place.go     URL policy: which URLs may be requested
//	redirect.go  where a redirect leads, and what goes along: headers, and
//	cookies.go   the cookies set on the way; cookiedate.go reads their dates
//	address.go   address policy: which addresses a connection may go to
//	resolve.go   names to addresses, by package lookup
//	engine.go    the engine interface
//	netengine.go     the engine over package net; it also works over our own sockets
//	fastengine_linux.go  the engine over our own sockets: exchange_linux.go is a plain
//	                 exchange, socket_linux.go a connection, poll_linux.go the epoll loops
//	connect.go   happy eyeballs
//	secure.go    the TLS handshake; sessions.go and chains.go cache its results
//	http2.go     a second try by HTTP/2; stray.go one without certificates that no chain
//	             needs, by the packages tls12 and tls13
//	judge.go     what a final response means
//	head.go      the response's head; contradiction.go what discredits it
//	body.go      its body: framing.go removes length and chunks, encoding.go the content
//	             encodings
//	rules.go     body rules, in the page's charset; texts.go finds texts in a stream
//	pagecheck.go what package page says of the page as a whole
//	firewall.go  which firewall blocked us
//	classify.go  from an error's type to FailureKind and reason
//
// # Kinds of time-out
//
// When the target's budget ends, the phase decides: DNS/timeout during resolution,
// CONNECT/timeout while connecting, and afterwards TIMEOUT with the reason handshake,
// request, first_byte, header or body. When the caller's context ends first, the probe
// knows nothing about the site: OutcomeUnknown, reason cancelled. A caller whose deadline
// is not before the budget's does not count as first.
//
// # Connections lost
//
// A reset while or after connecting and before the head is complete is CONNECT/reset;
// in the handshake it is TLS/reset; in the body PARTIAL/reset. An orderly close
// without a byte of response is PROTOCOL/empty_reply.
//
// # Bodies
//
// A body is read as browsers read it: where one shows the page, the page counts. Chunks may
// end their lines with a bare line feed, encodings are removed whether they were asked for
// or not, names that are no encodings are passed over, sums are not looked at. A body is cut
// short when its framing ends early. An encoding that ends early inside a whole framing
// leaves a page that is judged by what could be read of it.
//
// Rules are matched on text: package charset finds the page's charset as browsers do. When
// every required text was found and none is forbidden, reading ends, and with it the check.
//
// A target with a PageRule is asked by GET, and its page is judged as a whole. A body that
// does not end, or breaks, is no failure of a check that only judges: a HEAD would have been
// believed.
//
// A body in br or zstd, which no request asks for, may need up to 16 MiB; at most
// maxLargeDecoders are decoded at once, and the others wait.
//
// # Reasons
//
//	DNS       nxdomain servfail refused nodata timeout cname_loop bad_answer rcode_N
//	          unroutable
//	CONNECT   refused reset lost timeout host_unreachable network_unreachable failed
//	TLS       expired not_yet_valid self_signed unknown_issuer wrong_host wrong_usage
//	          invalid_chain bad_certificate not_tls protocol_version unrecognized_name
//	          client_certificate_required internal_error handshake_failure reset closed
//	TIMEOUT   handshake request first_byte header body
//	SERVER    http_500 and the like; CLIENT http_404 and the like
//	BLOCKED   http_403, or the firewall: cloudflare sucuri wordfence imunify360 siteground
//	          akamai imperva aws_waf ddos_guard datadome vercel mod_security
//	REDIRECT  loop too_many no_location bad_location scheme unroutable not_allowed
//	CONTENT   required_text_missing forbidden_text_present and, where the page is judged,
//	          wordpress_fatal_error wordpress_database_error wordpress_maintenance
//	          php_fatal_error empty_page
//	PARTIAL   cut_short reset lost
//	PROTOCOL  not_http empty_reply bad_status header_cut_short header_too_large
//	          too_many_headers too_many_1xx switching_protocols bad_content_length
//	          bad_header contradictory_header bad_chunking bad_encoding
//	POLICY    bad_url scheme userinfo bad_host bad_port bad_header bad_address and the
//	          ranges: private loopback link_local metadata cgnat documentation multicast
//	          embedded_ipv4 benchmarking reserved unspecified broadcast
//
// unroutable means that the site's own answers, its DNS or its redirect, lead only to
// addresses that POLICY refuses: nobody on the Internet can go there. POLICY itself is about
// what the target names.
//
// The outcome is UNKNOWN with POLICY; with DNS/resolver_unreachable, CONNECT/no_route,
// CONNECT/node_resources and TLS/no_roots, which are faults of this node; and with
// cancelled, internal_error and, for want of a decoder, node_resources, which have no kind.
//
// # Goroutines
//
// A check starts these; all of them end before Probe returns, or right after it the
// reader of HTTP/2:
//
//	handshake          has a stack of its own; ends with the connection
//	connect attempts   one for each of several addresses; end with the connection, those
//	                   over IPv6 with the check
//	HTTP/2             net/http's reader; ends with the connection
//	late GET           starts when a HEAD hangs for half of the budget; Probe waits for it
//
// The Prober starts these, on Linux:
//
//	poller.run         one for each poller, at most maxPollers; waits for events of the
//	                   poller's sockets and ends when it has none
package probe
