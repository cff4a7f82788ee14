// Package notify tells subscriptions of committed events, WordPress.com among them.
//
// It covers the path from the outbox to an accepted answer: what goes next to whom, when to try
// it again, when to give it up, and how well each endpoint is. It decides nothing about a site,
// commits no event, and knows no way of telling: package channel does. A delivery is in the store
// before this package reads it, and stays until its endpoint has accepted it, or it is given up.
// Delivery is at least once, in order a lane, under one idempotency key, and across restarts.
// Each attempt first makes sure that the shard of the delivery is still certainly ours: a process
// that was suspended must not tell what another owner has superseded.
//
// Each subscription has a queue of its own, so that a sick endpoint slows no other: queue.go
// decides what may go, limits.go has the bounds, attempt.go makes one attempt and judges it,
// record.go stores results in groups, run.go finds out for whom there is work.
//
// A disabled Deliverer sends WordPress.com nothing and withdraws what waits for it: that may be
// wrong by the time delivery is enabled again.
//
// Goroutines: Run's caller looks; each subscription has a loop, which ends when it is disabled or
// Run ends; each attempt has one, which ends with its answer, at Options.Timeout, or drainTime
// after Run's context has ended; each shard with results to store has one until they are stored,
// or recordTime after that.
package notify
