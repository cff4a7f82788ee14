-- What WordPress.com knows of each site whose status we ever changed; a site without a
-- row is as its legacy row says. status and outage_id are of our newest change, at
-- status_ms. row_ms is the newest change that was written to the legacy row as well, 0:
-- none. told is what WordPress.com was told last, at told_ms; -1: nothing, the legacy row
-- says what it knows. untold: 0 it was told the newest change; 1 it was not; 2 nor is it
-- known what it received of those before; 3 as 0, but others may have told it more since. blog_id tells whose row it is when an id is
-- used again.
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
