-- The change's place in the order of its site's; see 00016. 0 in a row of an older
-- version, whose place is its id.
ALTER TABLE jetmon_transitions ADD COLUMN site_seq BIGINT NOT NULL DEFAULT 0
