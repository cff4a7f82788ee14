package peers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	// maxAge is how old the owners may be that are believed; when a peer did not answer
	// as its owner should, minAge.
	maxAge = 2 * time.Second
	minAge = 200 * time.Millisecond
	// listTimeout bounds reading them.
	listTimeout = time.Second
)

// Directory is where coordinators write down that they are there, and what they own.
type Directory interface {
	// ListShards reads all shards that were ever claimed.
	ListShards(ctx context.Context) ([]shard.Lease, error)
	// ListMembers reads the coordinators that have not expired at now.
	ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error)
}

// Options for New.
type Options struct {
	// Node is this coordinator's name: it is no peer of itself.
	Node string
	// Directory is where the owners are read.
	Directory Directory
	// Client is how peers are dialled.
	Client rpc.ClientOptions
}

// Peer is another coordinator.
type Peer struct {
	// Node is its name, Endpoint where its API is dialled.
	Node, Endpoint string
}

// Shard is who owns a shard.
type Shard struct {
	shard.Lease
	// Orphaned is since when nobody owns it, as far as is known: when the last lease
	// ended, or, when it was given back or never claimed, when that was first seen. It
	// is zero while somebody owns it.
	Orphaned time.Time
}

// Peers are the other coordinators.
type Peers struct {
	o Options
	// turn is held by who reads the directory.
	turn chan struct{}

	mu sync.Mutex
	// now is the newest listing, err why a newer one could not be had. asked is when
	// the directory was last read; stale says that the listing has proved wrong.
	now   listing
	err   error
	asked time.Time
	stale bool
	// failing is since when a peer does not answer, resting until when it is not asked
	// brief questions.
	failing, resting map[string]time.Time
	links            map[string]*link
	closed           bool
}

// listing is what the directory said.
type listing struct {
	shards [shard.Count]Shard
	peers  []Peer // by name
}

// New makes peers. Nothing is read or dialled before the first question.
func New(o Options) *Peers {
	p := &Peers{o: o, turn: make(chan struct{}, 1), failing: map[string]time.Time{}, resting: map[string]time.Time{}, links: map[string]*link{}}
	for i := range p.now.shards {
		p.now.shards[i].Shard = shard.ID(i)
	}
	return p
}

// Owners says who owns which bucket, at one moment.
type Owners struct {
	self   string
	at     time.Time
	shards [shard.Count]Shard
}

// Owners reads who owns what. When the directory does not answer, what it said last is
// still true for as long as the leases last.
func (p *Peers) Owners(ctx context.Context) Owners {
	l, _ := p.list(ctx)
	return Owners{self: p.o.Node, at: time.Now(), shards: l.shards}
}

// Of returns the peer that owns a bucket; false when we own it, or nobody.
func (w Owners) Of(b check.BucketID) (Peer, bool) {
	s := w.shards[shard.Of(b%check.Buckets)]
	if s.Node == "" || s.Node == w.self || s.Endpoint == "" || !s.Expires.After(w.at) {
		return Peer{}, false
	}
	return Peer{Node: s.Node, Endpoint: s.Endpoint}, true
}

// Shards reads who owns what, all shards by number, and whether somebody does.
func (p *Peers) Shards(ctx context.Context) ([]Shard, error) {
	l, err := p.list(ctx)
	return l.shards[:], err
}

// Others lists the peers by name: whoever is there, owns a shard, or was its last owner
// and did not give it back. When the directory does not answer they are those of before.
func (p *Peers) Others(ctx context.Context) []Peer {
	l, _ := p.list(ctx)
	return slices.Clone(l.peers)
}

// FailingSince is since when a peer does not answer; zero when it does.
func (p *Peers) FailingSince(node string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failing[node]
}

// list returns the newest listing, and reads one when that is too old.
func (p *Peers) list(ctx context.Context) (listing, error) {
	if l, fresh, err := p.last(); fresh {
		return l, err
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		l, _, _ := p.last()
		return l, fmt.Errorf("wait for the owners of shards: %w", ctx.Err())
	}
	if l, fresh, err := p.last(); fresh { // somebody else was quicker
		return l, err
	}
	reading, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	now := time.Now()
	leases, err := p.o.Directory.ListShards(reading)
	var members []shard.Member
	if err == nil {
		members, err = p.o.Directory.ListMembers(reading, now)
	}
	if err != nil && ctx.Err() != nil {
		l, _, _ := p.last()
		return l, err // the caller's own end says nothing about the directory
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.err = time.Now(), err
	if err != nil {
		return p.now, err
	}
	leases = slices.DeleteFunc(leases, func(l shard.Lease) bool { return l.Shard >= shard.Count })
	p.take(next(p.now, leases, now), p.peersOf(leases, members))
	return p.now, nil
}

// last is the newest listing, and whether it may be believed still.
func (p *Peers) last() (l listing, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := maxAge
	if p.stale || p.err != nil {
		most = minAge
	}
	return p.now, !p.asked.IsZero() && time.Since(p.asked) < most, p.err
}

// take makes what was read the newest listing.
func (p *Peers) take(l listing, others []Peer) {
	p.stale = false
	p.now = l
	p.now.peers = others
	gone := func(node string, _ time.Time) bool {
		return !slices.ContainsFunc(others, func(q Peer) bool { return q.Node == node })
	}
	maps.DeleteFunc(p.failing, gone)
	maps.DeleteFunc(p.resting, gone)
}

// peersOf are those that the directory names, by name. Where a node is dialled, its
// newest lease says best, since ownership is fenced.
func (p *Peers) peersOf(leases []shard.Lease, members []shard.Member) []Peer {
	found := map[string]string{}
	for _, m := range members {
		found[m.Node] = m.Endpoint
	}
	slices.SortFunc(leases, func(a, b shard.Lease) int { return a.Expires.Compare(b.Expires) })
	for _, lease := range leases {
		found[lease.Node] = lease.Endpoint
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

// next is the listing that follows old when the directory says leases at now.
func next(old listing, leases []shard.Lease, now time.Time) listing {
	var l listing
	for i := range l.shards {
		l.shards[i].Shard = shard.ID(i)
	}
	for _, lease := range leases {
		l.shards[lease.Shard].Lease = lease
	}
	for i := range l.shards {
		s, was := &l.shards[i], old.shards[i].Orphaned
		switch {
		case s.Node != "" && s.Expires.After(now):
		case s.Node != "":
			s.Orphaned = s.Expires
		case !was.IsZero():
			s.Orphaned = was
		default:
			s.Orphaned = now
		}
	}
	return l
}
