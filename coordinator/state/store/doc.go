// Package store is what the coordinator remembers beyond its own life: sites (the
// legacy table jetpack_monitor_sites, which WordPress.com owns and writes to),
// outages with their evidence, status transitions, the outbox of notices, and
// which coordinator owns which shard.
//
// It holds the interface and its values only. store/sqlstore implements it on
// MySQL/MariaDB and SQLite; store/storetest is the conformance suite. Nothing here
// decides anything about a site.
package store
