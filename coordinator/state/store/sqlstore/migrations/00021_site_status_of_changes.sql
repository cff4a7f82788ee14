-- The newest change of each site that an older version committed, all of which were told.
-- It did not say whether it wrote the legacy row: where that agrees, it may have.
INSERT INTO jetmon_site_status
    (site_id, blog_id, bucket, outage_id, status, status_ms, row_ms, told, told_ms, untold)
SELECT t.site_id, t.blog_id, t.bucket, t.outage_id, t.to_status, t.at_ms,
    CASE WHEN l.site_status = t.to_status THEN t.at_ms ELSE 0 END, t.to_status, t.at_ms, 0
FROM (SELECT site_id, MAX(CASE WHEN site_seq = 0 THEN id ELSE site_seq END) AS place
    FROM jetmon_transitions GROUP BY site_id) newest
JOIN jetmon_transitions t ON t.site_id = newest.site_id
    AND CASE WHEN t.site_seq = 0 THEN t.id ELSE t.site_seq END = newest.place
JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = t.site_id AND l.blog_id = t.blog_id
LEFT JOIN jetmon_site_status w ON w.site_id = t.site_id
WHERE w.site_id IS NULL
