-- And by when they did.
CREATE INDEX {if_missing} jetmon_site_hosts_changed ON jetmon_site_hosts (row_changed, site_id)
