package shard

import "time"

// Holder is the one port to ownership: the shards that this coordinator holds at this
// moment, by its own clock, and the owners of the rest. Its methods are safe for concurrent
// use and do not block.
type Holder interface {
	// Fence returns the fence of a shard, zero when the shard is not ours, and reports
	// whether our ownership is certain at this moment, so that the shard may be written to.
	Fence(ID) (Fence, bool)
	// Held returns the tenures of our shards, all at one moment.
	Held() Held
	// Directory returns the owners and members as of the last read, with our own shards as
	// we know them.
	Directory() Directory
	// Refresh starts to read the directory now, for a caller that has found it outdated. The
	// channel is closed when the read has ended; Directory.Err reports whether it failed. A
	// directory that was read a moment ago is not read again.
	Refresh() <-chan struct{}
}

// Tenure describes our ownership of a shard. The zero value means that it is not ours.
type Tenure struct {
	// Term is the term in which the shard is ours, certainly or not; 0 when it is not ours.
	Term uint64
	// Sure means that no other coordinator can have taken the shard: it may be written to.
	Sure bool
	// Leaving means that we are giving the shard up: pending writes are finished, and
	// nothing new is started.
	Leaving bool
	// Renewed is when its lease was last renewed.
	Renewed time.Time
	// Idle is since when nobody had made its checks when the tenure began; zero if nobody ever
	// had.
	Idle time.Time
	// Voice is who hears of its changes, the same for the whole term.
	Voice Voice
}

// Held has our tenure of each shard.
type Held [Count]Tenure

// Staying lists, in order, the shards that are ours and not leaving, including uncertain
// ones.
func (h Held) Staying() (out []ID) {
	for s, t := range h {
		if t.Term != 0 && !t.Leaving {
			out = append(out, ID(s))
		}
	}
	return out
}

// Stays reports whether Staying lists a shard. It is false for a shard that does not exist,
// such as that of an invalid bucket that another program has written.
func (h Held) Stays(s ID) bool { return s < Count && h[s].Term != 0 && !h[s].Leaving }

// Unsure counts the uncertain shards that are not leaving; since is the oldest last renewal
// of them, zero when there is none.
func (h Held) Uncertain() (n int, since time.Time) {
	for s, t := range h {
		if !h.Stays(ID(s)) || t.Sure {
			continue
		}
		n++
		if since.IsZero() || t.Renewed.Before(since) {
			since = t.Renewed
		}
	}
	return n, since
}
