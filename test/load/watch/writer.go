//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// workers commit at once, as those of a coordinator do.
	workers   = 4
	showEvery = 5 * time.Second
)

// writer commits changes.
type writer struct {
	store  *sqlstore.Store
	fences map[shard.ID]shard.Fence
	// sites of a shard, which change in turn.
	sites [][]record.Site
	// down says of each site whether it is.
	down map[check.SiteID]bool

	committed int64
	slowest   time.Duration // transaction
}

func newWriter(ctx context.Context, p plan, dsn string) (_ *writer, err error) {
	w := &writer{fences: map[shard.ID]shard.Fence{}, down: map[check.SiteID]bool{}}
	if w.store, err = sqlstore.Open(ctx, dsn, sqlstore.Options{LegacyWrites: true}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	shards := min(shard.Count, max(1, p.sites/p.group))
	for len(w.fences) < shard.Count { // until the coordinator has all
		leases, err := w.store.ListShards(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range leases {
			if l.Node != "" {
				w.fences[l.Shard] = l.Fence()
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		time.Sleep(200 * time.Millisecond)
	}
	for s := range shards {
		var rows []record.Site
		for i := range p.sites / shards {
			rows = append(rows, record.Site{
				BlogID: check.BlogID(i + 1), Bucket: check.BucketID(s * shard.BucketsPer),
				URL: fmt.Sprintf("https://site-%d.shard-%d.example/a/page/that/is/monitored", i, s), Interval: 5 * time.Minute,
			})
		}
		made, err := w.create(ctx, rows)
		if err != nil {
			return nil, err
		}
		w.sites = append(w.sites, made)
	}
	return w, nil
}

// create adds sites.
func (w *writer) create(ctx context.Context, rows []record.Site) (made []record.Site, err error) {
	for _, row := range rows {
		row, err = w.store.CreateSite(ctx, row)
		if err != nil {
			return nil, err
		}
		made = append(made, row)
	}
	return made, nil
}

func (w *writer) close() { _ = w.store.Close() } // nothing is left to lose

// write commits at the rate for the time.
func (w *writer) write(ctx context.Context, p plan, show func(committed int64) error) error {
	jobs, failed := make(chan []record.Change, workers), make(chan error, workers)
	var mu sync.Mutex
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for job := range jobs {
				began := time.Now()
				for i := range job {
					job[i].At, job[i].LastCheck = began, began
				}
				err := w.commit(ctx, job)
				mu.Lock()
				w.committed += int64(len(job))
				w.slowest = max(w.slowest, time.Since(began))
				mu.Unlock()
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	err := w.feed(ctx, p, jobs, func() error {
		select {
		case err := <-failed:
			return err
		default:
		}
		mu.Lock()
		n := w.committed
		mu.Unlock()
		return show(n)
	})
	close(jobs)
	group.Wait()
	select {
	case late := <-failed:
		return errors.Join(err, late)
	default:
		return err
	}
}

// feed hands out groups of changes. A site never has two that are not committed: it changes
// again when all others have.
func (w *writer) feed(ctx context.Context, p plan, jobs chan<- []record.Change, show func() error) error {
	ticker := time.NewTicker(time.Duration(p.group) * time.Second / time.Duration(p.rate))
	defer ticker.Stop()
	began, shown := time.Now(), time.Now()
	next := make([]int, len(w.sites))
	for n := 0; time.Since(began) < p.lasts; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		s := n % len(w.sites)
		var job []record.Change
		for range p.group {
			row := w.sites[s][next[s]%len(w.sites[s])]
			job = append(job, w.change(row, next[s]))
			next[s]++
		}
		select {
		case jobs <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
		if time.Since(shown) >= showEvery {
			if err := show(); err != nil {
				return err
			}
			shown = time.Now()
		}
	}
	return nil
}

// change is the next change of a site: it goes down, and comes back.
func (w *writer) change(row record.Site, n int) record.Change {
	c := record.Change{
		Key: fmt.Sprintf("%d-%d", row.ID, n), SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL,
		From: check.StatusRunning, To: check.StatusDown, Start: time.Now(), Muted: false,
	}
	seen := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, Reason: "overloaded", HTTPStatus: 503,
		ResolvedAddress: "192.0.2.1:443", Detail: `503 "Service Unavailable"`}
	if w.down[row.ID] {
		c.From, c.To = c.To, c.From
		seen = check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, ResolvedAddress: "192.0.2.1:443"}
	} else {
		c.Cause = seen
	}
	c.Checks = []record.LocalCheck{{Node: "load", At: c.Start, Observation: seen}}
	w.down[row.ID] = !w.down[row.ID]
	return c
}

func (w *writer) commit(ctx context.Context, job []record.Change) error {
	results, err := w.store.CommitAll(ctx, w.fences[shard.Of(job[0].Bucket)], job)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}
