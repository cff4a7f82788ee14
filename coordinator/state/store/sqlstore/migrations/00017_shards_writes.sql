-- How many transactions have proved that they own the shard. Each raises it, for a row that
-- an UPDATE leaves as it was is not certified on Galera, and so fences nobody.
ALTER TABLE jetmon_shards ADD COLUMN writes BIGINT NOT NULL DEFAULT 0
