-- When all sites of a shard had been put into jetmon_site_hosts; 0 while they are not.
ALTER TABLE jetmon_shards ADD COLUMN hosts_ms BIGINT NOT NULL DEFAULT 0
