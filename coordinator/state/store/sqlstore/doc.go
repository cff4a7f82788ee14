// Package sqlstore implements the store on MySQL/MariaDB and on SQLite, with one SQL text. A
// dialect of a few members holds all differences: how to connect, the meaning of errors,
// three pieces of DDL, a digest of many rows, and the migrations of the other engine.
//
// The SQL keeps to the subset that both engines share with the ways to scale MySQL out
// (replicas, Vitess, TiDB): `?`, named columns, integers for our own times (unix
// milliseconds), keyset pages, compare-and-swap by the number of matched rows. Our
// invariants rest on unique indexes, on rows that a transaction updates first and that
// differ afterwards, and on comparing at the write what was read before. They do not rest on
// engine locks, nor on what a transaction sees of others (its isolation level, or a snapshot
// older than the lock that it waited for). Where there is a site or a bucket, the statement
// names it.
//
// The legacy table jetpack_monitor_sites belongs to WordPress.com, which writes to it at
// will. We never alter it. No row content makes reading fail: an interval of 0 is read as 5
// minutes, a status other than 0, 1 or 2 as running, and a text that is not a URL is passed
// on. Row ids above the largest int64 are ignored.
//
// The status of a site is that of our open outage, if there is one. Otherwise it is the
// legacy row's when Options.LegacyWrites is set (DB_UPDATES_ENABLE=true), and running when it
// is not: then another monitor owns site_status, and a commit only reads the legacy table.
// CreateSite, UpdateSite and DeleteSite, the edits of callers, write to it in both cases, unless
// Options.NoEdits or Options.Trial says otherwise.
//
// An update of a site is one transaction: it reads the site, applies the caller's edit and
// writes the changed columns. jetmon_site_locks has a row for each slot of sites, which every
// update of a site changes first, and one for each slot of blogs, which every transaction
// that gives a blog a URL changes.
//
// A group of commits is one transaction. Its first statement proves that the caller still
// owns the shard and locks the shard's row, which serialises the commits of a shard and so
// makes their ids rise in the order of the changes. The rows of a group are read, inserted
// and updated together; if another writer came between, the numbers of matched rows do not
// agree, and the group starts again. On SQLite all writes use one connection.
//
// jetmon_site_hosts finds sites by the host and the page of their URLs. It follows the legacy
// table, so that an entry may be behind its row: what it leads to is compared with the row.
//
// Scans read one bucket by the legacy table's index, or many in the order of the table, and
// pass rows on only while no query is open.
//
// On MySQL there are three pools of connections, so that API requests cannot keep a
// coordinator from renewing its leases or committing: see pools. A statement waits at most
// lockWait for a lock, so that a table that is locked for minutes costs no shard its lease.
// On SQLite there is no such choice.
//
// A session asks its server what it is and sets what that kind needs: see Engine. Of several
// servers those that cannot serve are passed over: see servers. What may lag is read from a
// replica, if there is one that keeps up: see replica.
//
// The package has no goroutine that outlives a call.
package sqlstore
