-- The pos of the shard's newest event (00062); 0 while it has had none.
ALTER TABLE jetmon_shards ADD COLUMN events_pos BIGINT NOT NULL DEFAULT 0
