-- Entries of jetmon_site_hosts that are there already do not have the status of their rows: each
-- shard is gone through once more.
UPDATE jetmon_shards SET hosts_ms = 0
