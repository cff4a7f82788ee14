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
	// maxAge bounds the age of a directory that Peers trusts.
	maxAge = 2 * time.Second
	// readTimeout bounds the wait for a refreshed directory.
	readTimeout = time.Second
)

// Options for New.
type Options struct {
	// Node is this coordinator's own name; it is not a peer of itself.
	Node string
	// Shards knows who owns what.
	Shards shard.Holder
	// Client has the options for dialling peers.
	Client rpc.ClientOptions
}

// Peer is another coordinator.
type Peer struct {
	// Node is its name, Endpoint the address of its API.
	Node, Endpoint string
}

// Peers are the other coordinators.
type Peers struct {
	o Options

	mu sync.Mutex
	// denied is when a peer last gave no answer; an older directory may be wrong.
	denied time.Time
	// failing holds, by node, since when a peer has not answered; resting holds until when
	// AskBriefly does not ask it.
	failing, resting map[string]time.Time
	// known is the time of the newest directory seen; peers that it does not name are
	// dropped from failing and resting.
	known  time.Time
	links  map[string]*link
	closed bool
}

// New makes Peers, which reads and dials nothing before the first question.
func New(o Options) *Peers {
	return &Peers{o: o, failing: map[string]time.Time{}, resting: map[string]time.Time{}, links: map[string]*link{}}
}

// Owners tells which peer owns a bucket, as of one moment.
type Owners struct {
	self      string
	at        time.Time
	directory shard.Directory
}

// Owners returns the present owners. When they cannot be read, the last ones read are still
// true for as long as their leases last.
func (p *Peers) Owners(ctx context.Context) Owners {
	return Owners{self: p.o.Node, directory: p.directory(ctx), at: time.Now()}
}

// Of returns the peer that owns a bucket; false when we own it or nobody does.
func (w *Owners) Of(b check.BucketID) (Peer, bool) {
	l, ok := w.directory.Owner(b, w.at)
	if !ok || l.Node == w.self || l.Endpoint == "" {
		return Peer{}, false
	}
	return Peer{Node: l.Node, Endpoint: l.Endpoint}, true
}

// Shards returns all shards by number, each with its owner. The error is why the owners are
// not known at this moment.
func (p *Peers) Shards(ctx context.Context) ([]shard.Entry, error) {
	d := p.directory(ctx)
	switch {
	case d.Err != nil:
		return nil, d.Err
	case !p.trusts(d):
		return nil, fault.New(fault.Unavailable, "the owners of the shards could not be read in time")
	}
	return d.Entries[:], nil
}

// Others lists, by name, the peers that are members, own a shard, or were its last owner
// and did not give it back. When the directory cannot be read, it lists those last read.
func (p *Peers) Others(ctx context.Context) []Peer { return p.named(p.directory(ctx)) }

// FailingSince returns since when a peer has not answered; zero when it answers.
func (p *Peers) FailingSince(node string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failing[node]
}

// directory returns a directory, refreshed unless p trusts the present one. When it cannot
// be refreshed in time, the result is still the old one.
func (p *Peers) directory(ctx context.Context) shard.Directory {
	d := p.o.Shards.Directory()
	if !p.trusts(d) {
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

// trusts reports whether a directory is new enough and no peer has denied it since.
func (p *Peers) trusts(d shard.Directory) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return d.Err == nil && !d.At.IsZero() && time.Since(d.At) < maxAge && !d.At.Before(p.denied)
}

// forget drops the state of the peers that a new directory does not name.
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

// named returns the peers in a directory, ordered by name. The endpoint of a node is that
// of its newest lease if it has one, since ownership is fenced.
func (p *Peers) named(d shard.Directory) []Peer {
	found := map[string]string{}
	for _, m := range d.Members {
		found[m.Node] = m.Endpoint
	}
	slices.SortFunc(d.Entries[:], func(a, b shard.Entry) int { return a.Expires.Compare(b.Expires) }) // d is a copy
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
