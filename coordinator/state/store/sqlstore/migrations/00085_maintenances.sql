-- Plans to work on sites: one of site_id, tag and host is set, and says which. rule is RRULE, ''
-- for one window; cut_ms is when somebody has ended the window that was open then, 0 if nobody
-- has. revision rises with each change. key_hash is of the caller and the key of the call that made
-- it, NULL without a key, request_hash of what it asked for.
CREATE TABLE IF NOT EXISTS jetmon_maintenances (
    id {id},
    name VARCHAR(100) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    site_id BIGINT NOT NULL,
    tag VARCHAR(32) NOT NULL,
    host VARCHAR(255) NOT NULL,
    port INTEGER NOT NULL,
    start_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    rule VARCHAR(500) NOT NULL,
    zone VARCHAR(64) NOT NULL,
    cut_ms BIGINT NOT NULL,
    creator VARCHAR(255) NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    key_hash CHAR(64) NULL,
    request_hash CHAR(64) NOT NULL,
    UNIQUE (key_hash),
    UNIQUE (site_id, id)
) {options}
