-- open_site is the site while the outage is open, else NULL: a site has one at most.
-- Indexes end in id and are unique, since that is the form both engines can write here.
CREATE TABLE IF NOT EXISTS jetmon_outages (
    id {id},
    site_id BIGINT NOT NULL,
    open_site BIGINT NULL,
    blog_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    url VARCHAR(1024) NOT NULL,
    status INTEGER NOT NULL,
    status_ms BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    confirmed_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    failure INTEGER NOT NULL,
    reason VARCHAR(255) NOT NULL,
    http_status INTEGER NOT NULL,
    rule_voters INTEGER NOT NULL,
    rule_need INTEGER NOT NULL,
    rule_regions INTEGER NOT NULL,
    round INTEGER NOT NULL,
    relapses INTEGER NOT NULL,
    UNIQUE (open_site),
    UNIQUE (site_id, end_ms, id),
    UNIQUE (end_ms, id)
) {options}
