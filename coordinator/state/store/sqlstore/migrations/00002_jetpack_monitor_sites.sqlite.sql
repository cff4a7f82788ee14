-- The same table for SQLite, which has its indexes beside it.
CREATE TABLE IF NOT EXISTS jetpack_monitor_sites (
    jetpack_monitor_site_id INTEGER PRIMARY KEY AUTOINCREMENT,
    blog_id INTEGER NOT NULL,
    bucket_no INTEGER NOT NULL,
    monitor_url VARCHAR(300) NOT NULL,
    monitor_active INTEGER NOT NULL DEFAULT 1,
    site_status INTEGER NOT NULL DEFAULT 1,
    last_status_change TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
    check_interval INTEGER NOT NULL DEFAULT 5
)
