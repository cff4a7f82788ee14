-- The labels of each site: a row for each, read by site and found by tag.
CREATE TABLE IF NOT EXISTS jetmon_site_tags (
    site_id BIGINT NOT NULL,
    tag VARCHAR(32) NOT NULL,
    PRIMARY KEY (site_id, tag),
    UNIQUE (tag, site_id)
) {options}
