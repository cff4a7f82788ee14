// Package sqlstore is the store on MySQL/MariaDB and on SQLite, in one SQL text. A
// dialect of a few members holds all that differs: how to connect, what an error
// means, three pieces of DDL, a digest of many rows, which migrations belong to the other
// engine.
//
// The SQL keeps to what both engines, and what scales MySQL out (replicas, Vitess,
// TiDB), have in common: `?`, named columns, integers for our own times (unix
// milliseconds), pages by key, compare-and-swap by the number of rows matched. Our
// invariants rest on unique indexes, on rows that are updated first and differ afterwards,
// and on comparing what was read when it is written: not on locks of the engine, nor on
// what a transaction sees of others (its level of isolation, or a snapshot that is older
// than the lock that it waited for). Where there is a site or a bucket, the statement
// names it.
//
// The legacy table jetpack_monitor_sites belongs to WordPress.com, which writes to it
// at will. It is never altered. Reading never fails because of what a row holds: an
// interval of 0 is 5 minutes, a status that is not 0, 1 or 2 is running, a text that
// is not a URL is handed on. A row id above the largest int64 is not seen.
//
// The status of a site is that of our open outage, if there is one. Else it is the
// legacy row's when Options.LegacyWrites is set (DB_UPDATES_ENABLE=true), and running
// when it is not: then somebody else's monitor owns site_status, and Commit only reads
// the legacy table. CreateSite, UpdateSite and DeleteSite write to it all the same:
// they are the explicit edits of an admin.
//
// An update of a site is one transaction, which reads the site, has the caller change it and
// writes what changed. jetmon_site_locks has a row for each slot of sites, which it updates
// first, and one for each slot of blogs, for who gives a blog a URL.
//
// A group of commits is one transaction. Its first statement proves that the caller
// still owns the shard and, by locking that row, puts the commits of a shard in a row;
// that is what makes their ids rise in the order of the changes. The rows of a group are
// read, inserted and updated together; where somebody else was in between, the numbers
// of rows matched do not agree, and the group begins anew. On SQLite all writes pass
// through one connection.
//
// Scans read one bucket by the legacy table's index, or many in the order of the table,
// and hand over what they have read when no query is open any more.
//
// On MySQL there are three pools of connections, so that what the API is asked for cannot
// keep a coordinator from renewing its leases or committing: see pools. A statement waits
// at most lockWait for a lock, so that a table that somebody has locked for minutes costs
// no shard its lease. On SQLite there is no such choice.
//
// The package has no goroutine that outlives a call.
package sqlstore
