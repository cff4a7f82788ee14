-- and by when the newest change was.
CREATE INDEX {if_missing} jetmon_site_status_changed ON jetmon_site_status (status_ms, site_id)
