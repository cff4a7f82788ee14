-- When the last lease of a shard on trial ends or ended; 0 when it is not on trial.
ALTER TABLE jetmon_shards ADD COLUMN trial_until_ms BIGINT NOT NULL DEFAULT 0
