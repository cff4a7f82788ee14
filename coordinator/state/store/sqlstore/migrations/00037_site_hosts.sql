-- Where the URL of each site leads, to find sites by it: the host, and a hash of the whole URL,
-- as browsers compare them; and the URL that this was read from.
CREATE TABLE IF NOT EXISTS jetmon_site_hosts (
    site_id BIGINT NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    page BIGINT NOT NULL,
    url VARCHAR(300) NOT NULL,
    UNIQUE (host, site_id),
    UNIQUE (page, site_id)
) {options}
