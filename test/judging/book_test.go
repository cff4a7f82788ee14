package judging

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
)

// book is a store in memory that keeps every committed change. Those are the changes that
// WordPress.com would get, once each and in order.
type book struct {
	plan plan

	mu      sync.Mutex
	random  *rand.Rand
	sites   []record.Site
	changes []record.Change
	kept    []record.Ballot
	byKey   map[string]record.Committed
	outages int64
}

func newBook(p plan, r *rand.Rand) *book {
	b := &book{plan: p, random: r, byKey: map[string]record.Committed{}}
	for i := range p.down {
		b.sites = append(b.sites, record.Site{
			ID: check.SiteID(i + 1), BlogID: check.BlogID(i + 1), Bucket: check.BucketID(i), URL: siteURL(i),
			Interval: time.Minute, Status: check.StatusRunning,
		})
	}
	return b
}

func (b *book) rows() []record.Site {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sites)
}

// told returns the committed changes of a site, in order.
func (b *book) told(site int) []record.Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.changes), func(c record.Change) bool { return c.SiteID != check.SiteID(site+1) })
}

func (b *book) ballots() []record.Ballot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kept)
}

// CommitAll takes a while, fails when the plan says so, and sometimes loses its answer.
func (b *book) CommitAll(ctx context.Context, _ shard.Fence, cs []record.Change) ([]store.CommitResult, error) {
	b.mu.Lock()
	takes, seems := time.Duration(b.random.Int64N(int64(200*time.Millisecond))), b.random.IntN(10) == 0
	b.mu.Unlock()
	if !pause.For(ctx, takes) || within(b.plan.failing, time.Now()) {
		return nil, fault.New(fault.Unavailable, "the store is away")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	results := make([]store.CommitResult, len(cs))
	for i, c := range cs {
		results[i].Committed, results[i].Err = b.commit(c)
	}
	if seems {
		return nil, fault.New(fault.Unavailable, "the answer is lost")
	}
	return results, nil
}

func (b *book) commit(c record.Change) (record.Committed, error) {
	if done, again := b.byKey[c.Key]; again {
		return done, nil
	}
	row := &b.sites[c.SiteID-1]
	if row.Status != c.From {
		return record.Committed{}, fault.New(fault.Conflict, "the status is %d, not %d", row.Status, c.From)
	}
	if c.To == check.StatusDown {
		b.outages++
		row.OutageID = b.outages
	}
	done := record.Committed{OutageID: row.OutageID, TransitionID: int64(len(b.changes) + 1)}
	row.Status, row.StatusSince = c.To, c.At
	if c.To == check.StatusRunning {
		row.OutageID = 0
	}
	b.byKey[c.Key] = done
	b.changes = append(b.changes, c)
	return done, nil
}

// KeepBallot keeps a ballot.
func (b *book) KeepBallot(_ context.Context, _ shard.Fence, ballot record.Ballot) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, ballot)
	return nil
}

// Site returns a row.
func (b *book) Site(_ context.Context, id check.SiteID) (record.Site, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sites[id-1], nil
}
