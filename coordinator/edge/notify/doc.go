// Package notify delivers committed status changes to WordPress.com, in the form
// that Jetmon v1 used.
//
// It owns the way from the outbox to an accepted answer: which notice goes next,
// what it looks like on the wire, when it is tried again, and how long
// WordPress.com has been refusing. It decides nothing about a site and commits no
// status change; a notice exists before this package hears of it, and stays in the
// outbox until WordPress.com has said success. Delivery is at least once, in order
// per site, under one idempotency key, for ever and across restarts. Right before each
// attempt it is asked whether the notice's shard is still ours for certain: a process that
// stood still must not send what another owner has overtaken.
//
// A disabled Deliverer sends nothing, and withdraws the notices that wait: they may be
// wrong by the time that delivery is enabled again.
//
// Goroutines: Run's caller is the only one that reads the outbox. Each delivery
// under way, at most Options.Parallel, has one goroutine, which ends with its
// answer, at Options.Timeout, or drainTime after Run's context has ended.
//
// The token travels in the URL, as it did in v1. Therefore no URL, and no error that
// could hold one, leaves this package: see scrub.
package notify
