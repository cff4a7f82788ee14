-- The pos up to which the shard's events are no longer kept.
ALTER TABLE jetmon_shards ADD COLUMN events_expired_pos BIGINT NOT NULL DEFAULT 0
