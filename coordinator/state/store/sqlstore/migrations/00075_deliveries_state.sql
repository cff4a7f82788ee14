-- The oldest and the newest of a subscription.
CREATE INDEX {if_missing} jetmon_deliveries_state ON jetmon_deliveries (subscription_id, state, id)
