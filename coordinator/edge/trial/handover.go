package trial

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

// Store has what a handover needs of the store.
type Store interface {
	store.Handover
	ListShards(ctx context.Context) ([]shard.Lease, error)
}

// Range is a range of whole shards.
type Range struct{ First, Last shard.ID }

// RangeOf returns the shards of a range of buckets, both ends included. It refuses a range
// that cuts a shard, and names the nearest that does not.
func RangeOf(first, last check.BucketID) (Range, error) {
	if first > last || last >= check.Buckets {
		return Range{}, fault.New(fault.Invalid, "%d-%d is no range within 0-%d", first, last, check.Buckets-1)
	}
	if r := (shard.Range{First: first, Last: last}); !r.Whole() {
		_, _, around := r.Nearest()
		return Range{}, fault.New(fault.Invalid, "%d-%d cuts a shard of %d buckets; the nearest range is %d-%d",
			first, last, shard.BucketsPer, around.First, around.Last)
	}
	return Range{shard.Of(first), shard.Of(last)}, nil
}

// Buckets returns the buckets of the range, both ends included.
func (r Range) Buckets() (first, last check.BucketID) {
	return check.BucketID(r.First) * shard.BucketsPer, (check.BucketID(r.Last)+1)*shard.BucketsPer - 1
}

func (r Range) has(s shard.ID) bool { return r.First <= s && s <= r.Last }

// Order is one handover.
type Order struct {
	Range
	// ToV1 gives the buckets back to v1; otherwise they are taken over from it.
	ToV1 bool
	// Do carries it out; otherwise HandOver only says what would happen.
	Do bool
	// Wait is how long HandOver waits for notifications that WordPress.com has not accepted yet.
	Wait time.Duration
}

const (
	// current is the age of a lease up to which a trial is going on.
	current = time.Minute
	// again is the time between two attempts to give a shard back.
	again = time.Second
)

// HandOver carries out an order, and writes to out what it does. Conflict when no coordinator is
// on trial with one of the shards, or notifications wait for longer than Wait.
func HandOver(ctx context.Context, s Store, o Order, out io.Writer) error {
	now := time.Now()
	leases, err := s.ListShards(ctx)
	if err != nil {
		return err
	}
	todo, err := o.shards(leases, now)
	if err != nil {
		return err
	}
	first, last := o.Buckets()
	if len(todo) == 0 {
		_, err := fmt.Fprintf(out, "nothing to do: buckets %d-%d are %s already\n", first, last, o.hand())
		return err
	}
	if err := o.announce(ctx, s, now, out); err != nil {
		return err
	}
	if !o.Do {
		_, err := fmt.Fprintln(out, "nothing was changed: repeat the command with --yes")
		return err
	}
	for _, id := range todo {
		if err := o.handOver(ctx, s, id, now); err != nil {
			return err
		}
		from, to := Range{id, id}.Buckets()
		if _, err := fmt.Fprintf(out, "buckets %d-%d are %s\n", from, to, o.hand()); err != nil {
			return err
		}
	}
	return nil
}

// hand is in whose hands the buckets are after the order.
func (o Order) hand() string {
	if o.ToV1 {
		return "v1's"
	}
	return "Jetmon's"
}

// shards lists the shards of the range that are in the other hand.
func (o Order) shards(leases []shard.Lease, now time.Time) (todo []shard.ID, err error) {
	var of [shard.Count]shard.Lease
	for _, l := range leases {
		if l.Shard < shard.Count {
			of[l.Shard] = l
		}
	}
	for id := o.First; id <= o.Last; id++ {
		l := of[id]
		from, to := Range{id, id}.Buckets()
		if l.Taken.IsZero() && now.Sub(l.Trial.Until) > current {
			return nil, fault.New(fault.Conflict, "no coordinator is on trial with buckets %d-%d: start one with --trial", from, to)
		}
		if l.Taken.IsZero() != o.ToV1 {
			todo = append(todo, id)
		}
	}
	return todo, nil
}

// announce says what WordPress.com will hear.
func (o Order) announce(ctx context.Context, s Store, now time.Time, out io.Writer) error {
	first, last := o.Buckets()
	if o.ToV1 {
		_, err := fmt.Fprintf(out, "Buckets %d-%d go back to v1, which starts from what WordPress.com knows. "+
			"Start v1 with them when this is done.\n", first, last)
		return err
	}
	r, err := Compare(ctx, within{s, o.Range}, Options{Now: now})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Buckets %d-%d are taken over from v1, which must have been stopped with them. Of %d sites WordPress.com will hear, "+
		"if they stay as they are: DOWN of %d, UP of %d. Not watched long enough: %d.\n", first, last,
		r.Watched()+r.Sites[parity.Unwatched], r.Sites[parity.OnlyOursDown], r.Sites[parity.OnlyV1Down], r.Sites[parity.Unwatched])
	return err
}

// handOver hands one shard over. While notifications of a shard wait that is given back, it
// tries again.
func (o Order) handOver(ctx context.Context, s Store, id shard.ID, began time.Time) error {
	taken := began
	if o.ToV1 {
		taken = time.Time{}
	}
	for {
		err := s.HandOver(ctx, id, taken)
		if !fault.Is(err, fault.Conflict) || time.Since(began) > o.Wait || !pause.For(ctx, again) {
			return err
		}
	}
}

// within is a store with the sites of some shards only.
type within struct {
	Store
	of Range
}

// ScanParity implements store.Handover.
func (w within) ScanParity(ctx context.Context, f func([]parity.Site) error) error {
	return w.Store.ScanParity(ctx, func(all []parity.Site) error {
		var some []parity.Site
		for _, site := range all {
			if w.of.has(shard.Of(site.Bucket)) {
				some = append(some, site)
			}
		}
		return f(some)
	})
}
