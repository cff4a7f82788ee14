// Package peers knows the other coordinators: which of them owns a shard, whether it
// answers, and how to call it. Through it the API fetches an owner's live state of a site,
// and hands an edit to the owner that must act on it.
//
// It learns about peers from the directory of shard.Holder, and calls them over the same
// public API that every client uses. The metadata of a forwarded call says that it was
// forwarded, and such a call is never forwarded again: two coordinators that disagree about
// an owner do not send a call round in circles.
//
// It does not decide what to ask, nor what to do when a peer does not answer. It runs no
// goroutine of its own, except those of Silent, which waits for them: each call refreshes
// the directory when that is too old or has proved wrong, and closes idle connections. The
// number of shards and of members, and maxLinks, bound everything that it remembers.
package peers
