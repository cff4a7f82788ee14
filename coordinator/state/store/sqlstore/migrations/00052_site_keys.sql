-- Idempotency keys of calls that added a site. key_hash is of the caller and the key,
-- request_hash of the site that was asked for, as SHA-256 in hexadecimal digits.
CREATE TABLE IF NOT EXISTS jetmon_site_keys (
    key_hash CHAR(64) NOT NULL PRIMARY KEY,
    request_hash CHAR(64) NOT NULL,
    site_id BIGINT NOT NULL,
    made_ms BIGINT NOT NULL,
    UNIQUE (made_ms, key_hash)
) {options}
