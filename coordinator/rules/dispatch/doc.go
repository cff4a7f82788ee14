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
// The package is pure and deterministic: time and randomness arrive as values. It must
// not know what a result says, nor talk to anyone: the stream shell beside it does.
package dispatch
