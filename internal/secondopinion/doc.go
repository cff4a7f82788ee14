// Package secondopinion reads a web site with another mind than the check engine's.
//
// All checkers and verifliers run one engine (internal/probe), so what it misreads, all of
// them confirm. A failure that rests on how an answer is *read* is therefore in doubt
// ([Doubtful]). Before a veriflier votes on one, it asks this package's Reader, and [Settle]
// turns both observations into the vote: where the Reader gets a good page, nobody knows
// which of them is wrong, and the vote is UNKNOWN.
//
// The Reader shares with the engine the target, the address policy, the name servers and the
// trusted issuers, and no code that reads: net/http frames messages, over HTTP/2 where a site
// offers it; net.Resolver resolves names; crypto/tls verifies certificates;
// golang.org/x/net/html/charset finds a page's charset. Where the standard library is
// stricter than browsers (cookies, Location), this package has a reader of its own.
//
//	doubt.go       which failures rest on reading; what follows from two observations
//	reader.go      Reader, Ask: one target, one budget
//	visit.go       requests and redirects, to the last response
//	location.go    URLs as browsers read them; host.go their hosts
//	hand.go        HTTP/1.1 without net/http's reader, for what that one refuses;
//	               session.go its connections, also to servers whose certificates
//	               crypto/tls cannot read
//	cookie.go      cookies as servers sent them
//	dial.go        addresses, the address policy, connections; resolver.go names
//	page.go        the page: charset, texts; encoding.go and gunzip.go its encodings
//	finding.go     from an error to a failure and its reason
//
// It always sends GET, asks for an unencoded body, and follows at most as many redirects as
// the engine. A good page has a final status from 200 to 399, contains the required texts
// and none of the forbidden ones, and arrives whole.
//
// It decides nothing about a site and keeps nothing between two questions. It must not be
// asked for routine checks: it always fetches the page, and takes twice the engine's memory
// (BenchmarkAsk).
//
// Bounds of one Ask: the target's Timeout; 11 requests, and one more for each by hand; 128 KiB of header; 2 MiB of body, of
// which at most 256 KiB are kept; 8 addresses a host. Bodies in br or zstd take more memory:
// two at a time are decoded.
//
// Goroutines: those of net/http for the connections of one Ask. Ask closes its connections
// and waits for its dials before it returns, which ends them.
package secondopinion
