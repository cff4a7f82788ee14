package peers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	// maxAge is how old a directory may be that is believed.
	maxAge = 2 * time.Second
	// readTimeout bounds the wait for one that is read anew.
	readTimeout = time.Second
)

// Options for New.
type Options struct {
	// Node is this coordinator's name: it is no peer of itself.
	Node string
	// Shards knows who owns what.
	Shards shard.Holder
	// Client is how peers are dialled.
	Client rpc.ClientOptions
}

// Peer is another coordinator.
type Peer struct {
	// Node is its name, Endpoint where its API is dialled.
	Node, Endpoint string
}

// Peers are the other coordinators.
type Peers struct {
	o Options

	mu sync.Mutex
	// denied is when a peer last did not answer as its owner should: a directory of before
	// may be wrong.
	denied time.Time
	// failing is since when a peer does not answer, resting until when it is not asked
	// brief questions. Those that the directory of known does not name are forgotten.
	failing, resting map[string]time.Time
	known            time.Time
	links            map[string]*link
	closed           bool
}

// New makes peers. Nothing is read or dialled before the first question.
func New(o Options) *Peers {
	return &Peers{o: o, failing: map[string]time.Time{}, resting: map[string]time.Time{}, links: map[string]*link{}}
}

// Owners says who owns which bucket, at one moment.
type Owners struct {
	self      string
	at        time.Time
	directory shard.Directory
}

// Owners tells who owns what. When that cannot be read, what was read last is still true
// for as long as the leases last.
func (p *Peers) Owners(ctx context.Context) Owners {
	return Owners{self: p.o.Node, directory: p.directory(ctx), at: time.Now()}
}

// Of returns the peer that owns a bucket; false when we own it, or nobody.
func (w *Owners) Of(b check.BucketID) (Peer, bool) {
	l, ok := w.directory.Owner(b, w.at)
	if !ok || l.Node == w.self || l.Endpoint == "" {
		return Peer{}, false
	}
	return Peer{Node: l.Node, Endpoint: l.Endpoint}, true
}

// Shards tells who owns what, all shards by number. The error is why that is not known at
// this moment.
func (p *Peers) Shards(ctx context.Context) ([]shard.Entry, error) {
	d := p.directory(ctx)
	switch {
	case d.Err != nil:
		return nil, d.Err
	case !p.believed(d):
		return nil, fault.New(fault.Unavailable, "who owns which shard was not read in time")
	}
	return d.Entries[:], nil
}

// Others lists the peers by name: whoever is there, owns a shard, or was its last owner
// and did not give it back. When the directory cannot be read they are those of before.
func (p *Peers) Others(ctx context.Context) []Peer { return p.named(p.directory(ctx)) }

// FailingSince is since when a peer does not answer; zero when it does.
func (p *Peers) FailingSince(node string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failing[node]
}

// directory is one that may be believed, if it can be had.
func (p *Peers) directory(ctx context.Context) shard.Directory {
	d := p.o.Shards.Directory()
	if !p.believed(d) {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		select {
		case <-p.o.Shards.Refresh():
		case <-ctx.Done():
		}
		d = p.o.Shards.Directory()
	}
	p.forget(d)
	return d
}

// believed says whether a directory is new enough, and was not found to be wrong.
func (p *Peers) believed(d shard.Directory) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return d.Err == nil && !d.At.IsZero() && time.Since(d.At) < maxAge && !d.At.Before(p.denied)
}

// forget drops what is known of peers that a new directory does not name.
func (p *Peers) forget(d shard.Directory) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !d.At.After(p.known) {
		return
	}
	p.known = d.At
	others := p.named(d)
	gone := func(node string, _ time.Time) bool {
		return !slices.ContainsFunc(others, func(q Peer) bool { return q.Node == node })
	}
	maps.DeleteFunc(p.failing, gone)
	maps.DeleteFunc(p.resting, gone)
}

// named are the peers that a directory names, by name. Where a node is dialled, its newest
// lease says best, since ownership is fenced.
func (p *Peers) named(d shard.Directory) []Peer {
	found := map[string]string{}
	for _, m := range d.Members {
		found[m.Node] = m.Endpoint
	}
	slices.SortFunc(d.Entries[:], func(a, b shard.Entry) int { return a.Expires.Compare(b.Expires) }) // a copy's
	for _, e := range d.Entries {
		found[e.Node] = e.Endpoint
	}
	var out []Peer
	for node, endpoint := range found {
		if node != "" && node != p.o.Node && endpoint != "" {
			out = append(out, Peer{Node: node, Endpoint: endpoint})
		}
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.Node, b.Node) })
	return out
}
