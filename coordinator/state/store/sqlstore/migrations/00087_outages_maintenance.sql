-- The maintenance during which the failure began; 0 for none.
ALTER TABLE jetmon_outages ADD COLUMN maintenance_id BIGINT NOT NULL DEFAULT 0
