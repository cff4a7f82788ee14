// Package lookup turns host names into addresses: it asks recursive name servers, over
// sockets of its own, and caches what they answer.
//
// It owns the questions on their way, the sockets to name servers, what is known about each
// server, the machine's own name configuration and the cache. It does not decide which
// addresses may be probed, nor whether a failure means that a site is down.
//
// One lookup passes through the files in this order:
//
//	resolver.go  the hosts file, the cache, or an inquiry
//	system.go    the machine's name servers and hosts file
//	cache.go     answers, for their time, bounded in bytes
//	inquiry.go   A and AAAA at once, and what both together mean
//	question.go  one type of address: attempts at the servers, aliases
//	attempt.go   one packet to one server, and what came of it
//	server.go    what is known about one name server, and its sockets
//	socket.go    one connected UDP socket and its reader
//	batch_linux.go   datagrams in batches; batch_other.go one at a time, on any system
//	tcp.go       an answer that does not fit into a datagram
//	message.go   writing questions, reading answers
//	failure.go   why a name has no addresses
//
// # Which answers count
//
// An answer must come from the server's address and port to the socket's own, which the
// kernel checks, and repeat the question's id and its name to the letter, in the random mix
// of cases in which the name was asked for. All others are passed over and counted. A
// server that does not repeat the case is asked again in lower case.
//
// # Silence
//
// A question that is not answered is asked again, in growing intervals, at the next server
// and without EDNS in turn. What was asked before stays open: a late answer counts. When
// the time is over, a server that answers anything else proves that the silence is about
// this name. To learn that, a repeated question has a second one for the root beside it. If
// no server says anything at all, the failure is this node's own.
//
// # Goroutines
//
//	socket.read     one for each socket that waits for answers; ends with the last question,
//	                or with Close
//	question.overTCP  one for each truncated answer; ends with the lookup
//	inquiry.rouse   for a moment, each time when a lookup's patience ends
//
// A Resolver that waits for nothing has no goroutine.
package lookup
