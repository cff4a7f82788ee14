-- A token that is limited to some blogs lists the outages of these.
CREATE INDEX {if_missing} jetmon_outages_blog ON jetmon_outages (blog_id, confirmed_ms, id)
