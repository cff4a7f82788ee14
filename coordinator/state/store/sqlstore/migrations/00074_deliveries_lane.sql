-- The first of a lane, and the next.
CREATE INDEX {if_missing} jetmon_deliveries_lane ON jetmon_deliveries (lane, state, subscription_id, seq, id)
