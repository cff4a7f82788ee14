package ownership

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/plan"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// share reads the members and the leases, and does our part of the plan. It logs its error.
func (w *Ownership) share(ctx context.Context) error {
	v, err := w.read(ctx, callTimeout)
	if err == nil {
		now := time.Now()
		w.noteOutage(now)
		err = w.act(ctx, v, now)
	}
	if ctx.Err() == nil {
		w.sharing.Note(err)
	}
	return err
}

// noteOutage detects that the database was away, for us and perhaps for all: then the other
// owners need a moment to renew the leases that have expired.
func (w *Ownership) noteOutage(now time.Time) {
	w.mu.Lock()
	announced := w.announced
	w.mu.Unlock()
	if now.Sub(w.seen) > renewEvery || w.o.Members != nil && now.Sub(announced) > SureFor {
		w.cautious = now.Add(grace)
	}
	w.seen = now
}

// act claims and gives up shards. It returns the first error.
func (w *Ownership) act(ctx context.Context, v view, now time.Time) error {
	rows := map[shard.ID]shard.Lease{}
	for _, l := range v.leases {
		rows[l.Shard] = l
	}
	p := plan.Make(w.o.Node, w.members(v, now), w.leases(rows, now), now)
	var g errgroup.Group
	g.SetLimit(calls)
	for _, s := range p.Claim {
		if w.claimable(rows[s], s, now) {
			g.Go(func() error { return w.claim(ctx, s, rows[s]) })
		}
	}
	room := handing - p.Pending
	for _, s := range p.Release {
		l := rows[s]
		switch t := w.tenure(s); {
		case t == nil && !w.ofDuplicate(l):
			// The lease of an earlier run, or of a claim that got no answer: we have nothing to
			// drop.
			g.Go(func() error { return w.giveBack(ctx, l, l.IdleSince(now, ttl, lookEvery)) })
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

// members returns the other members that were read, and ourselves even if the database does
// not list us.
func (w *Ownership) members(v view, now time.Time) []shard.Member {
	all := []shard.Member{w.self(now)}
	for _, m := range v.members {
		if m.Node != w.o.Node {
			all = append(all, m)
		}
	}
	return all
}

// leases merges the rows that were read with our own tenures, and ignores stale rows. A
// tenure whose row has a higher term is lost.
func (w *Ownership) leases(rows map[shard.ID]shard.Lease, now time.Time) []plan.Lease {
	out := make([]plan.Lease, 0, shard.Count)
	for s := range shard.ID(shard.Count) {
		row := rows[s]
		l := plan.Lease{Lease: row}
		l.Shard = s // also when there is no row
		w.mu.Lock()
		if row.Node != w.o.Node {
			delete(w.duplicated, s)
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
			w.fenced(t, &row)
		}
		out = append(out, l)
	}
	return out
}

// tenure returns our tenure of a shard, or nil.
func (w *Ownership) tenure(s shard.ID) *tenure {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held[s]
}

// ofDuplicate reports whether a lease in our name belongs to another process.
func (w *Ownership) ofDuplicate(l shard.Lease) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.duplicated[l.Shard] && l.Node == w.o.Node
}

// claimable reports whether we may claim a shard now.
func (w *Ownership) claimable(row shard.Lease, s shard.ID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	over := !row.Expires.After(now)
	switch {
	case w.held[s] != nil:
		return false // we are still giving it up
	case row.Node == w.o.Node:
		return over || !w.duplicated[s] && row.Term > w.past[s]
	case row.Node != "":
		return !now.Before(w.cautious)
	default:
		return true
	}
}

// claim claims a shard, whose row was read before, and starts its tenure. Another coordinator that was faster is no
// error.
func (w *Ownership) claim(ctx context.Context, s shard.ID, row shard.Lease) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	lease, err := w.o.Store.ClaimShard(call, s, w.owner(), began)
	switch {
	case fault.Is(err, fault.Conflict):
		return nil // another coordinator was faster
	case err != nil:
		return err
	}
	w.take(ctx, lease, began, row.IdleSince(began, ttl, lookEvery))
	return nil
}

// owner returns who claims shards.
func (w *Ownership) owner() shard.Owner {
	o := shard.Owner{Node: w.o.Node, Endpoint: w.o.Endpoint, TTL: ttl}
	if w.o.Voice == shard.OnTrial {
		o.Trial = max(w.o.Sample, 1)
	}
	return o
}
