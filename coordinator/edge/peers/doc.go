// Package peers knows the other coordinators: which of them owns a shard, whether it
// answers, and how to ask it. What only an owner knows of a site is fetched through it,
// and an edit is handed to who must act on it.
//
// It learns of peers from the directory of shard.Holder, and asks them over the same public
// API that everybody uses. A call that was forwarded says so in its metadata and is never
// forwarded again: two coordinators that disagree about an owner do not send a call round
// in circles.
//
// It must not decide what is asked, nor what is done when a peer does not answer. It
// runs no goroutine of its own: it has the directory read that is too old, or has proved
// wrong, and closes what nobody uses, when it is asked something. Everything that it
// remembers is bounded by the number of shards and of members, and by maxLinks.
package peers
