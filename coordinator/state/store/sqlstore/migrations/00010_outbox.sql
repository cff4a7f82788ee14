-- Notices not yet accepted. id is the transition's, which has what is reported; a row
-- goes when it was delivered. Rows are small because all of them are looked at often.
CREATE TABLE IF NOT EXISTS jetmon_outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    change_key VARCHAR(64) NOT NULL,
    site_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    last_error VARCHAR(500) NOT NULL,
    UNIQUE (change_key),
    UNIQUE (site_id, id),
    UNIQUE (bucket, next_ms, site_id, id)
) {options}
