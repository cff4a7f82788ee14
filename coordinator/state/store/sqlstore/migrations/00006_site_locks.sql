-- One row per slot of blogs. Whoever gives a blog a URL updates its row first, because
-- the legacy table's index on blog and URL is not unique.
CREATE TABLE IF NOT EXISTS jetmon_site_locks (
    slot INTEGER NOT NULL PRIMARY KEY,
    uses BIGINT NOT NULL
) {options}
