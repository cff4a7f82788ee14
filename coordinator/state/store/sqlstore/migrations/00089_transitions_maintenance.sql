-- The maintenance because of which nobody was told of the change; 0 for none.
ALTER TABLE jetmon_transitions ADD COLUMN maintenance_id BIGINT NOT NULL DEFAULT 0
