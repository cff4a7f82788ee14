-- A hash of what was asked for under key_hash (00080).
ALTER TABLE jetmon_subscriptions ADD COLUMN request_hash VARCHAR(64) NOT NULL DEFAULT ''
