CREATE INDEX IF NOT EXISTS bucket_no_monitor_active_check_interval
    ON jetpack_monitor_sites (bucket_no, monitor_active, check_interval)
