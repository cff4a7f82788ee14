package shard

import "time"

// Holder is the one port to ownership: what this coordinator holds at this moment, by its
// own clock, and who holds the rest. Its methods may be called from anywhere, and wait for
// nothing.
type Holder interface {
	// Fence is the proof of a shard in the tenure in which it is ours, zero when it is not;
	// and whether that is certain at this moment, so that the shard may be written to.
	Fence(ID) (Fence, bool)
	// Held tells how the shards are ours, all at one moment.
	Held() Held
	// Directory is who owns what and who is there, as last read; of our own shards as we
	// know them.
	Directory() Directory
	// Refresh has the directory read now, for somebody who has seen that it is not true any
	// more. The channel is closed when it was read, or could not be; which of both, the
	// directory says. What was read a moment ago is not read again.
	Refresh() <-chan struct{}
}

// Tenure is how a shard is ours. The zero value is that of a shard that is not.
type Tenure struct {
	// Term is the term in which the shard is ours, surely or not; 0 when it is not.
	Term uint64
	// Sure says that nobody else can have taken it: it may be written to.
	Sure bool
	// Leaving says that another is to have it: what was decided is still written, and
	// nothing is begun.
	Leaving bool
	// Renewed is when its lease was last renewed.
	Renewed time.Time
}

// Held is how each shard is ours.
type Held [Count]Tenure

// Terms are the terms in which shards are ours, surely or not; 0 for others.
func (h Held) Terms() (out [Count]uint64) {
	for s, t := range h {
		out[s] = t.Term
	}
	return out
}

// Staying lists the shards that are ours and to stay, in order. Those that are unsure are
// among them.
func (h Held) Staying() (out []ID) {
	for s, t := range h {
		if t.Term != 0 && !t.Leaving {
			out = append(out, ID(s))
		}
	}
	return out
}

// Stays says whether a shard is among those that Staying lists. One that does not exist,
// as that of a bucket which somebody else wrote, is not.
func (h Held) Stays(s ID) bool { return s < Count && h[s].Term != 0 && !h[s].Leaving }

// Unsure counts the shards that are to stay and could not be renewed of late; since is
// when that one was last renewed for which it is longest ago, zero when there is none.
func (h Held) Unsure() (n int, since time.Time) {
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
