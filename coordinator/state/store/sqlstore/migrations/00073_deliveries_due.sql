-- What is due, shard by shard; what ended, by when.
CREATE INDEX {if_missing} jetmon_deliveries_due ON jetmon_deliveries (subscription_id, state, shard, next_ms, id)
