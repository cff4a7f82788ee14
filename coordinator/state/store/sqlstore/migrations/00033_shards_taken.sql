-- When a shard was taken over from v1; 0 when it was not, or was given back. It counts only
-- for coordinators on trial.
ALTER TABLE jetmon_shards ADD COLUMN taken_ms BIGINT NOT NULL DEFAULT 0
