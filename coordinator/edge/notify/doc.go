// Package notify delivers committed status changes to WordPress.com, in the form
// that Jetmon v1 used.
//
// It covers the path from the outbox to an accepted answer: which notification goes next,
// its wire format, when to retry it, and how long WordPress.com has been refusing. It
// decides nothing about a site and commits no status change. A notification is in the
// outbox before this package reads it, and stays there until WordPress.com has answered
// success. Delivery is at least once, in order per site, under one idempotency key,
// without a time limit and across restarts. Each attempt first makes sure that the shard
// of the notification is still certainly ours: a process that was suspended must not send
// a notification that another owner has superseded.
//
// A disabled Deliverer sends nothing and withdraws the pending notifications: they may be
// wrong by the time delivery is enabled again.
//
// Goroutines: only Run's caller reads the outbox. Each delivery under way, at most
// Options.Parallel, has one goroutine, which ends with its answer, at Options.Timeout, or
// drainTime after Run's context has ended.
//
// The token travels in the URL, as it did in v1. Therefore no URL, and no error that
// could hold one, leaves this package: see scrub.
package notify
