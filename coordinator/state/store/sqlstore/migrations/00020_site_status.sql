-- The newest status change that we committed for a site, and the last one that we told
-- WordPress.com about. For a site without a row, the legacy row has both.
-- status, outage_id: of the newest change, at status_ms.
-- row_ms: time of the newest change that we also wrote into the legacy row; 0: none.
-- told: the status that we told last, at told_ms; -1: none, the legacy row has it.
-- untold: 0 we told the newest change; 1 we did not; 2 nor do we know which of the notices
-- before it were received; 3 we did, and have been muted since.
-- blog_id: recognizes the row of a deleted site whose id is used again.
CREATE TABLE IF NOT EXISTS jetmon_site_status (
    site_id BIGINT NOT NULL PRIMARY KEY,
    blog_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    outage_id BIGINT NOT NULL,
    status INTEGER NOT NULL,
    status_ms BIGINT NOT NULL,
    row_ms BIGINT NOT NULL,
    told INTEGER NOT NULL,
    told_ms BIGINT NOT NULL,
    untold INTEGER NOT NULL,
    UNIQUE (untold, bucket, site_id)
) {options}
