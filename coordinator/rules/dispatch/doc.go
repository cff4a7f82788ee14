// Package dispatch decides who may have which check checked out.
//
// A check is submitted, queued, handed out in a batch under a lease and a random
// checkout id, and checked in. There is at most one open check a site, it is in at
// most one live batch, and it is open until its first valid result or until it is
// withdrawn: a lost session, an expired lease, a batch that the checker does not know
// of or gives back only queue it again, under the same sequence.
//
//	Submit -> queued --Assign--> out --CheckIn--> closed
//	  |         ^  ^               |
//	  v         |  '---------------+-- Leave, Expire, Heartbeat, Release
//	parked -----'    (PerHost)
//
// Credits count checks. A checker grants them, Assign spends them, and a result, a
// release or the end of a batch makes room to grant anew: what is granted and unspent
// and what is out are together never over the session's MaxInFlight.
//
// A host, the machine that many sites may share, has PerHost places. A check takes one
// when it is queued, keeps it while it is out, and is parked while there is none.
//
// A routine check goes to the node of the highest hash of site and node, whose caches
// know the site, as far as nodes have credit and none gets much more than its share.
//
// # Where to find what
//
// Core keeps the order of steps, and its parts own what they name. A part calls no other and
// never calls back: a Core passes on what one returns to the next. When a batch ends, for
// instance, batches returns what it had out, and the Core gives that to waiting. There are two
// exceptions: waiting consists of its queues and hosts, and placement reads the sessions.
//
//	dispatch.go     the nouns of callers, Config, the errors
//	core.go         Core: submit, withdraw, fence, count
//	assign.go       Core: hand checks out
//	checkin.go      Core: take results in
//	joining.go      Core: sessions join, live and leave
//	ending.go       Core: batches and sessions end
//	ahead.go        Core: load what the next steps need
//
//	entry.go        openChecks: the one open check of each site
//	waiting.go      waiting: what is not out, in queues or parked
//	queue.go        queue: whose turn is next
//	hosts.go        hosts: who has a place at a host, who is parked for one
//	batch.go        batch: what one session has out; its slots; lists of batches
//	batches.go      batches: which are live, void, lost or done
//	memory.go       what is remembered of ended batches and of fenced checks
//	session.go      Session: one checker, its credit, its batches
//	sessions.go     sessions: who may have which name, who is silent, who may grow
//	placement.go    placement: which session gets a check
//	affinity.go     the hash of a site and a node
//	clock.go        clock: the time as it was told
//
// The package is pure and deterministic: time and randomness arrive as values. It must
// not know what a result says, nor talk to anyone: the stream shell beside it does.
package dispatch
