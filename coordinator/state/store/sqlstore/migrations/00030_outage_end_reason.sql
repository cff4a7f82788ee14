-- Why an outage is over, as store.EndReason; 0 while it is open, and where an earlier version
-- ended it: then the transition to status 1 is there if it recovered.
ALTER TABLE jetmon_outages ADD COLUMN end_reason INTEGER NOT NULL DEFAULT 0
