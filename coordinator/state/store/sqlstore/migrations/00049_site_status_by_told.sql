-- by the status that WordPress.com was told last,
CREATE INDEX {if_missing} jetmon_site_status_told ON jetmon_site_status (told, site_id)
