CREATE INDEX IF NOT EXISTS blog_id_monitor_url
    ON jetpack_monitor_sites (blog_id, monitor_url)
