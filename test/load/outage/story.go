//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	opened   = "EVENT_TYPE_INCIDENT_OPENED"
	updated  = "EVENT_TYPE_INCIDENT_UPDATED"
	resolved = "EVENT_TYPE_INCIDENT_RESOLVED"
	// phaseWithin limits each phase.
	phaseWithin = 15 * time.Minute
)

// story is one run.
type story struct {
	plan
	db     *sql.DB
	world  *world
	system *system

	began time.Time

	mu sync.Mutex
	// least is the lowest coverage that was seen, waiting the most notices that waited.
	least   float64
	waiting uint64
}

// say prints a line with the time since the host failed.
func (s *story) say(format string, args ...any) {
	fmt.Printf("%6.1f s  "+format+"\n", append([]any{time.Since(s.began).Seconds()}, args...)...)
}

func (s *story) play(ctx context.Context) error {
	s.began, s.least = time.Now(), 1
	started := time.Now()
	if err := s.until(ctx, "every site is checked twice", func() bool { return s.world.unasked(started.Add(s.interval)) == 0 }); err != nil {
		return err
	}
	s.world.measure()
	ctx, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() { s.sample(ctx) })
	defer sampler.Wait()
	defer stop()
	if err := s.fails(ctx); err != nil {
		return err
	}
	if err := s.recovers(ctx); err != nil {
		return err
	}
	return s.verdict(ctx)
}

// fails has the host fail, until WordPress.com and the operators know.
func (s *story) fails(ctx context.Context) error {
	fmt.Printf("%d sites at %d addresses of %s0/24 fail, %d of %d other hosts work; each is checked every %s\n",
		s.sites, s.addresses, network, s.others, hosts, s.interval)
	s.began = time.Now()
	s.world.wordpress.away.Store(s.away)
	s.world.failing.Store(true)
	if err := s.until(ctx, "all are down", func() bool { return s.count(ctx, "SELECT COUNT(*) FROM jetmon_events WHERE type = 1") >= s.sites }); err != nil {
		return err
	}
	s.say("all are down, and %d notices wait", s.count(ctx, "SELECT COUNT(*) FROM jetmon_deliveries WHERE state IN (1, 2)"))
	s.world.wordpress.away.Store(false)
	if err := s.until(ctx, "WordPress.com knows", func() bool { return s.world.wordpress.count(0) >= s.sites }); err != nil {
		return err
	}
	s.say("WordPress.com was told of each; in the busiest second of %d", busiest(s.world.wordpress.told(0)))
	if err := s.until(ctx, "operators know", func() bool { return len(s.world.operators.of(opened)) > 0 }); err != nil {
		return err
	}
	m := s.world.operators.of(opened)[0]
	fmt.Printf("          operators were told after %.1f s: %d sites share %s %s\n", m.at.Sub(s.began).Seconds(), m.Incident.Members, m.Incident.Cause, m.Incident.Value)
	return nil
}

// recovers has the host come back.
func (s *story) recovers(ctx context.Context) error {
	back := time.Now()
	s.world.failing.Store(false)
	if err := s.until(ctx, "WordPress.com knows that all are up", func() bool { return s.world.wordpress.count(1) >= s.sites }); err != nil {
		return err
	}
	s.say("WordPress.com was told of each recovery, %.1f s after the host was back; in the busiest second of %d",
		time.Since(back).Seconds(), busiest(s.world.wordpress.told(1)))
	if err := s.until(ctx, "operators know that it is over", func() bool { return len(s.world.operators.of(resolved)) > 0 }); err != nil {
		return err
	}
	s.say("operators were told that it is over, of %d sites", s.world.operators.of(resolved)[0].Incident.Members)
	return nil
}

// verdict says what was measured, and returns what is wrong.
func (s *story) verdict(ctx context.Context) error {
	var wrong error
	for _, kind := range []struct {
		name         string
		event, state int
	}{{"failures", 1, 0}, {"recoveries", 3, 1}} {
		lags, err := s.lags(ctx, kind.event, s.world.wordpress.told(kind.state))
		if err != nil {
			return err
		}
		at := func(share float64) time.Duration {
			return lags[int(share*float64(len(lags)-1))].Round(time.Millisecond)
		}
		fmt.Printf("%d %s, from the decision to WordPress.com: p50 %s, p99 %s, longest %s\n", len(lags), kind.name, at(0.5), at(0.99), at(1))
	}
	s.mu.Lock()
	least, waiting := s.least, s.waiting
	s.mu.Unlock()
	fmt.Printf("operators got %d + %d + %d messages (opened, updated, resolved); at most %d notices waited; lowest coverage %.2f %%; longest time without a check of a site that works %s\n",
		len(s.world.operators.of(opened)), len(s.world.operators.of(updated)), len(s.world.operators.of(resolved)), waiting, 100*least, s.world.longest().Round(time.Second))
	refused, again := s.world.wordpress.failures()
	fmt.Printf("WordPress.com refused %d attempts while it was away, and got %d notices again\n", refused, again)
	histories := s.world.wordpress.histories()
	if len(histories) != s.sites {
		wrong = errors.Join(wrong, fmt.Errorf("WordPress.com was told of %d sites, want %d", len(histories), s.sites))
	}
	for url, history := range histories {
		if history != "01" {
			wrong = errors.Join(wrong, fmt.Errorf("WordPress.com was told %q of %s, want 01", history, url))
			break
		}
	}
	if n := s.count(ctx, "SELECT COUNT(*) FROM jetmon_incidents"); n != 1 || len(s.world.operators.of(opened)) != 1 || len(s.world.operators.of(resolved)) != 1 {
		wrong = errors.Join(wrong, fmt.Errorf("there were %d incidents", n))
	}
	if n := s.count(ctx, "SELECT COUNT(*) FROM jetmon_incident_members"); n != s.sites {
		wrong = errors.Join(wrong, fmt.Errorf("the incident has %d members", n))
	}
	return errors.Join(wrong, s.world.operators.broken)
}

// count reads a number; -1 when it cannot.
func (s *story) count(ctx context.Context, query string) int {
	n := -1
	if err := s.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return -1
	}
	return n
}

// lags returns how long notices took from the decision to WordPress.com, sorted.
func (s *story) lags(ctx context.Context, kind int, told map[string]note) (lags []time.Duration, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT event_key, at_ms FROM jetmon_events WHERE type = ?", kind)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var at int64
		if err := rows.Scan(&key, &at); err != nil {
			return nil, err
		}
		if one, ok := told[key]; ok {
			lags = append(lags, one.at.Sub(time.UnixMilli(at)))
		}
	}
	if err := rows.Err(); err != nil || len(lags) == 0 {
		return nil, errors.Join(err, errors.New("nothing of what was told is on record"))
	}
	slices.Sort(lags)
	return lags, nil
}

// busiest returns the most notices within a second.
func busiest(told map[string]note) (most int) {
	times := make([]time.Time, 0, len(told))
	for _, one := range told {
		times = append(times, one.at)
	}
	slices.SortFunc(times, time.Time.Compare)
	from := 0
	for i, at := range times {
		for at.Sub(times[from]) > time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// sample watches the coverage until ctx ends.
func (s *story) sample(ctx context.Context) {
	for {
		status, err := s.system.status(ctx)
		if err == nil {
			s.mu.Lock()
			if status.Coverage != nil {
				s.least = min(s.least, status.GetCoverage())
			}
			s.waiting = max(s.waiting, status.GetUndeliveredNotices())
			s.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// until waits until something is so.
func (s *story) until(ctx context.Context, what string, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, phaseWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not in time: %s: %w", what, ctx.Err())
		}
	}
	return nil
}
