-- The site_seq of the transition with this id.
ALTER TABLE jetmon_outbox ADD COLUMN site_seq BIGINT NOT NULL DEFAULT 0
