-- Since when a shard has been watched beside v1; 0 when it is not.
ALTER TABLE jetmon_shards ADD COLUMN trial_ms BIGINT NOT NULL DEFAULT 0
