-- And its last_status_change, in seconds; 0 for never.
ALTER TABLE jetmon_site_hosts ADD COLUMN row_changed BIGINT NOT NULL DEFAULT 0
