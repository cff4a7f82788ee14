-- The idempotency key under which a subscription was made, as a hash of the caller and the key;
-- empty for none.
ALTER TABLE jetmon_subscriptions ADD COLUMN key_hash VARCHAR(64) NOT NULL DEFAULT ''
