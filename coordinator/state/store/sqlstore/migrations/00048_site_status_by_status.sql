-- Sites are found by the status of their newest change,
CREATE INDEX {if_missing} jetmon_site_status_status ON jetmon_site_status (status, site_id)
