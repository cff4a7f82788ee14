-- Sites are found by the status that v1 or WordPress.com has written.
CREATE INDEX {if_missing} jetmon_site_hosts_status ON jetmon_site_hosts (row_status, site_id)
