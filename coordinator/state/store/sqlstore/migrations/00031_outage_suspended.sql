-- Since when an open outage is suspended because its site is paused; 0 while it is not.
ALTER TABLE jetmon_outages ADD COLUMN suspended_ms BIGINT NOT NULL DEFAULT 0
