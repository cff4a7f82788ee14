package ownership

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/ownership/plan"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// look reads who is there and who has what, and does our part of the plan. It logs its
// error.
func (w *Ownership) look(ctx context.Context) error {
	v, err := w.read(ctx)
	if err == nil {
		now := time.Now()
		w.mu.Lock()
		w.view = v
		w.mu.Unlock()
		w.beware(now)
		err = w.act(ctx, v, now)
	}
	if ctx.Err() == nil {
		w.lookTrouble.note(w.o.Log, "sharing the shards", err)
	}
	return err
}

// read reads both lists at once.
func (w *Ownership) read(ctx context.Context) (v view, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var g errgroup.Group
	g.Go(func() (err error) {
		v.leases, err = w.o.Store.ListShards(ctx)
		slices.SortFunc(v.leases, func(a, b store.Lease) int { return cmp.Compare(a.Shard, b.Shard) })
		return err
	})
	if w.o.Members != nil {
		g.Go(func() (err error) {
			v.members, err = w.o.Members.ListMembers(ctx, time.Now())
			slices.SortFunc(v.members, func(a, b store.Member) int { return cmp.Compare(a.Node, b.Node) })
			return err
		})
	}
	err = g.Wait()
	return v, err
}

// beware finds out that the database was away, for us and perhaps for all: then the
// others need a moment to renew what has run out meanwhile.
func (w *Ownership) beware(now time.Time) {
	w.mu.Lock()
	announced := w.announced
	w.mu.Unlock()
	if now.Sub(w.seen) > Renew || w.o.Members != nil && now.Sub(announced) > Self {
		w.cautious = now.Add(grace)
	}
	w.seen = now
}

// act claims and gives up. The error is that of one call that failed.
func (w *Ownership) act(ctx context.Context, v view, now time.Time) error {
	rows := map[store.ShardID]store.Lease{}
	for _, l := range v.leases {
		rows[l.Shard] = l
	}
	p := plan.Make(w.o.Node, w.members(v, now), w.leases(rows, now), now)
	var g errgroup.Group
	g.SetLimit(calls)
	for _, s := range p.Claim {
		if id := store.ShardID(s); w.claimable(rows[id], id, now) {
			g.Go(func() error { return w.claim(ctx, id) })
		}
	}
	room := handing - p.Pending
	for _, s := range p.Release {
		l := rows[store.ShardID(s)]
		switch t := w.tenure(store.ShardID(s)); {
		case t == nil && !w.ofTwin(l):
			// Of an earlier life, or claimed without our knowing: nothing is to be dropped.
			g.Go(func() error { return w.giveBack(ctx, l) })
		case t != nil && room > 0 && w.end(t, leaving):
			room--
		}
	}
	err := g.Wait()
	if err == nil {
		w.seen = time.Now()
	}
	return err
}

// members are the others that were read, and ourselves, whether others know or not.
func (w *Ownership) members(v view, now time.Time) []plan.Member {
	all := []store.Member{w.self(now)}
	for _, m := range v.members {
		if m.Node != w.o.Node {
			all = append(all, m)
		}
	}
	out := make([]plan.Member, len(all))
	for i, m := range all {
		out[i] = plan.Member{Node: m.Node, First: uint8(m.First), Last: uint8(m.Last), Expires: m.Expires}
	}
	return out
}

// leases puts together what was read and what we know better; rows that are too old are
// passed over. A tenure that a later lease was read of is lost.
func (w *Ownership) leases(rows map[store.ShardID]store.Lease, now time.Time) []plan.Lease {
	out := make([]plan.Lease, 0, store.Shards)
	for s := range store.ShardID(store.Shards) {
		row := rows[s]
		l := plan.Lease{Shard: uint8(s), Node: row.Node, Expires: row.Expires}
		w.mu.Lock()
		if row.Node != w.o.Node {
			delete(w.twin, s)
		}
		t := w.held[s]
		overtaken := t != nil && row.Term > t.lease.Term
		switch {
		case t == nil && row.Node == w.o.Node && row.Term <= w.past[s]:
			l.Node = "" // read before we gave it up
		case t == nil || overtaken:
		case t.stage == held:
			l.Node, l.Held = w.o.Node, true
		case t.stage == leaving || t.stage == releasing:
			l.Node = ""
		}
		w.mu.Unlock()
		if overtaken {
			w.fenced(t)
		}
		out = append(out, l)
	}
	return out
}

// tenure finds what is in hand of a shard.
func (w *Ownership) tenure(s store.ShardID) *tenure {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held[s]
}

// ofTwin says whether a lease in our name is another process's.
func (w *Ownership) ofTwin(l store.Lease) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.twin[l.Shard] && l.Node == w.o.Node
}

// claimable says whether there is nothing that forbids to claim a shard.
func (w *Ownership) claimable(row store.Lease, s store.ShardID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	over := !row.Expires.After(now)
	switch {
	case w.held[s] != nil:
		return false // we are still about to give it up
	case row.Node == w.o.Node:
		return over || !w.twin[s] && row.Term > w.past[s]
	case row.Node != "":
		return !now.Before(w.cautious)
	default:
		return true
	}
}

func (w *Ownership) claim(ctx context.Context, s store.ShardID) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	lease, err := w.o.Store.ClaimShard(call, s, store.Owner{Node: w.o.Node, Endpoint: w.o.Endpoint, TTL: TTL}, began)
	switch {
	case fault.Is(err, fault.Conflict):
		return nil // somebody was faster
	case err != nil:
		return err
	}
	w.take(ctx, lease, began)
	return nil
}
