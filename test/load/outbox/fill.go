//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// latency measures the way of single changes from their commit to the receiver.
func (b *bench) latency(ctx context.Context) error {
	const sites = 50
	var rows []record.Site
	for i := range sites {
		s, err := b.store.CreateSite(ctx, record.Site{
			BlogID: check.BlogID(i + 1), Bucket: check.BucketID(i * 7 % check.Buckets), URL: fmt.Sprintf("https://site-%d.example/", i), Interval: time.Minute,
		})
		if err != nil {
			return err
		}
		rows = append(rows, s)
	}
	d, stop, err := b.deliver()
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	committed := map[string]time.Time{}
	for i := range b.commits {
		s := rows[i%sites]
		now := time.Now()
		c := record.Change{
			Key: fmt.Sprint("change-", i), SiteID: s.ID, BlogID: s.BlogID, Bucket: s.Bucket, URL: s.URL, Start: now, At: now, LastCheck: now,
			From: check.StatusRunning, To: check.StatusDown, Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503},
		}
		if i/sites%2 == 1 {
			c.From, c.To, c.Cause = check.StatusDown, check.StatusRunning, check.Observation{}
		}
		results, err := b.store.CommitAll(ctx, b.fences[shard.Of(s.Bucket)], []record.Change{c})
		if err == nil {
			err = results[0].Err
		}
		if err != nil {
			return err
		}
		committed[c.Key] = time.Now()
		d.Wake()
		time.Sleep(b.gap)
	}
	time.Sleep(2 * time.Second)
	if err := stop(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var took []time.Duration
	for key, at := range committed {
		if there, ok := b.arrived[key]; ok {
			took = append(took, there.Sub(at))
		}
	}
	if len(took) != b.commits {
		return fmt.Errorf("%d of %d changes arrived", len(took), b.commits)
	}
	fmt.Printf("from commit to receiver, %d changes %v apart: p50 %v, p90 %v, p99 %v, most %v\n", b.commits, b.gap,
		percentile(took, 50), percentile(took, 90), percentile(took, 99), percentile(took, 100))
	return nil
}

// fill has many deliveries wait, each of a site of its own.
func (b *bench) fill(ctx context.Context) error {
	began := time.Now()
	const event = `CONCAT('{"version":1,"event_id":"k', seq, '","type":"EVENT_TYPE_SITE_DOWN","event_time":"2026-11-30T12:00:00.000Z","sequence":"1","site":{"site_id":"', seq,
	'","blog_id":"99","url":"https://site-', seq, '.example.com/","tags":["shop"]},"status_change":{"status_id":0,"previous_status_id":1,"outage_id":"5",',
	'"failure":"FAILURE_KIND_SERVER","reason":"status","http_status":503,"resolved_address":"192.0.2.1","votes_down":2,"votes":3}}')`
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO jetmon_events (shard, pos, n, type, event_key, site_id, at_ms, body)
	SELECT seq %% %d, 1000000 + seq, 0, 1, CONCAT('k', seq), 1000000 + seq, 1, %s FROM seq_1_to_%d`, shard.Count, event, b.waiting),
		`INSERT INTO jetmon_deliveries (subscription_id, shard, lane, seq, event_key, type, event_id, transition_id, state, attempts,
	next_ms, created_ms, since_ms, delay_ms, tried_ms, done_ms, http_status, answer)
	SELECT 1, shard, site_id, 1, event_key, 1, id, 0, 1, 0, id, id, id, 0, 0, 0, 0, '' FROM jetmon_events WHERE event_key LIKE 'k%'`,
		`UPDATE jetmon_delivery_counts c SET pending = pending + (SELECT COUNT(*) FROM jetmon_deliveries d WHERE d.subscription_id = 1 AND d.state = 1 AND d.shard = c.shard) WHERE subscription_id = 1`,
		`INSERT IGNORE INTO jetmon_delivery_counts (subscription_id, shard, pending, dead)
	SELECT 1, shard, COUNT(*), 0 FROM jetmon_deliveries WHERE subscription_id = 1 AND state = 1 GROUP BY shard`,
		"ANALYZE TABLE jetmon_deliveries, jetmon_events",
	} {
		if _, err := b.db.DB.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	fmt.Printf("%d wait after %v\n", b.waiting, time.Since(began).Round(time.Second))
	return nil
}

// look reads what is due as a queue does.
func (b *bench) look(ctx context.Context) (time.Duration, error) {
	q := store.DueQuery{Subscription: b.to.ID, Now: time.Now()}
	for _, id := range allShards() {
		q.Looks = append(q.Looks, store.Look{Shard: id, Limit: 1})
	}
	began := time.Now()
	due, err := b.store.DueDeliveries(ctx, q)
	if err == nil && len(due) < min(shard.Count, b.waiting/2) {
		err = fmt.Errorf("only %d are due", len(due))
	}
	return time.Since(began), err
}

// check wants what was received to be on record.
func (b *bench) check(ctx context.Context, received int64) error {
	var pending, left int64
	if err := b.db.DB.QueryRowContext(ctx, "SELECT SUM(pending) FROM jetmon_delivery_counts WHERE subscription_id = 1").Scan(&pending); err != nil {
		return err
	}
	if err := b.db.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM jetmon_deliveries WHERE subscription_id = 1 AND state IN (1, 2)").Scan(&left); err != nil {
		return err
	}
	if pending != left || left != int64(b.waiting)-received {
		return fmt.Errorf("%d wait, counted are %d, and %d of %d were received", left, pending, received, b.waiting)
	}
	return nil
}
