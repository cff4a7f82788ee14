-- How long the site was paused during the outage, without a pause that goes on.
ALTER TABLE jetmon_outages ADD COLUMN paused_ms BIGINT NOT NULL DEFAULT 0
