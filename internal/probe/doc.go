// Package probe is the HTTP check engine: given one check.Target it tells what the
// site did, as one check.Observation. Checker and veriflier run it for every check.
//
// It owns the verdict of a single look at a site from a single place: name
// resolution, address policy, connection, TLS, redirects, body rules, recognition of
// firewalls. It does not remember sites, does not vote, does not retry over time.
//
// The way of one check through the files:
//
//	probe.go     budget, cancellation, the finished Observation
//	strategy.go  HEAD, GET, or HEAD put to a GET in the same budget
//	follow.go    one method from the first URL over redirects to a final answer
//	place.go     URL policy: what may be asked for, and where it is
//	address.go   address policy: where a connection may go
//	resolve.go   names to addresses; nameserver.go asks, system.go is the machine's part
//	engine.go    the engine interface
//	netengine.go     the engine over package net, and over sockets of ours
//	fastengine_linux.go  the engine over sockets of ours: talk_linux.go is a plain exchange,
//	                 socket_linux.go a connection, poll_linux.go what watches them
//	connect.go   happy eyeballs
//	secure.go    the TLS handshake; sessions.go and chains.go what is kept of it
//	head.go      the response's head; body.go its body; texts.go body rules
//	firewall.go  who blocked us
//	classify.go  errors by type to FailureKind and reason
//
// # Kinds of time-out
//
// When the target's budget ends, the phase decides: in DNS it is DNS/timeout, while
// connecting CONNECT/timeout, afterwards TIMEOUT with the reason handshake, request,
// first_byte, header or body. When the caller's context ends first, nothing is known
// about the site: OutcomeUnknown, reason cancelled. A caller whose deadline is not
// before the budget's does not count as first.
//
// # Connections lost
//
// Reset while or after connecting and before the head is complete is CONNECT/reset;
// in the handshake it is TLS/reset; in the body PARTIAL/reset. An orderly close
// without a byte of answer is PROTOCOL/empty_reply.
//
// # Reasons
//
//	DNS       nxdomain servfail refused nodata timeout cname_loop bad_answer rcode_N
//	CONNECT   refused reset lost timeout host_unreachable network_unreachable failed
//	TLS       expired not_yet_valid self_signed unknown_issuer wrong_host wrong_usage
//	          invalid_chain bad_certificate not_tls protocol_version unrecognized_name
//	          client_certificate_required internal_error handshake_failure reset closed
//	TIMEOUT   handshake request first_byte header body
//	SERVER    http_500 and the like; CLIENT http_404 and the like
//	BLOCKED   http_403, or the firewall: cloudflare sucuri wordfence imunify360 siteground
//	          akamai imperva aws_waf ddos_guard datadome vercel mod_security
//	REDIRECT  loop too_many no_location bad_location not_allowed
//	CONTENT   required_text_missing forbidden_text_present unreadable_encoding
//	PARTIAL   cut_short reset lost
//	PROTOCOL  not_http empty_reply bad_status header_cut_short header_too_large
//	          too_many_headers too_many_1xx switching_protocols bad_content_length
//	          bad_chunking bad_encoding
//	POLICY    bad_url scheme userinfo bad_host bad_port bad_header bad_address and the
//	          ranges: private loopback link_local metadata cgnat documentation multicast
//	          embedded_ipv4 benchmarking reserved unspecified broadcast
//
// The outcome is UNKNOWN with POLICY, with DNS/resolver_unreachable, CONNECT/no_route and
// CONNECT/node_resources and TLS/no_roots, which are this node's troubles, and with cancelled and
// internal_error, which have no kind.
//
// # Goroutines
//
// Of each check, all of which end before Probe returns:
//
//	questions for A and AAAA  end with the lookup
//	handshake          beside the exchange, for its stack; ends with the connection
//	connect attempts   one for each address of several; end with the connection, those
//	                   over IPv6 with the check
//	late GET           begun when a HEAD hangs for half of the budget; Probe waits for it
//
// Of the Prober, on Linux:
//
//	shard.run          one a shard, at most maxShards; waits for the sockets of the shard
//	                   and ends when there are none
package probe
