// Package store is the coordinator's lasting memory: sites (the legacy table
// jetpack_monitor_sites, which WordPress.com owns and writes to), outages with their
// evidence, status transitions, the outbox of notifications, and the owners of shards.
//
// It holds the interface and its questions only: rules/record has the values that it keeps.
// store/sqlstore implements it on MySQL/MariaDB and SQLite; store/storetest is the
// conformance suite. Nothing here decides anything about a site.
package store
