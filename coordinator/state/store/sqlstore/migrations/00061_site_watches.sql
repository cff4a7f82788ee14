-- In which stretches callers of the API had a site checked. start_ms is 0 when it was checked
-- before, and nobody knows since when; end_ms is 0 while it is checked.
CREATE TABLE IF NOT EXISTS jetmon_site_watches (
    site_id BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    PRIMARY KEY (site_id, start_ms)
) {options}
