-- Tokens of the API. hash is the SHA-256 hash of the secret, in hexadecimal digits; scopes and
-- blogs are lists of words, with a space between two; a time of 0 means never.
CREATE TABLE IF NOT EXISTS jetmon_tokens (
    id {id},
    name VARCHAR(255) NOT NULL,
    hash CHAR(64) NOT NULL,
    scopes VARCHAR(255) NOT NULL,
    blogs VARCHAR(4000) NOT NULL,
    creator VARCHAR(255) NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL,
    UNIQUE (hash),
    UNIQUE (revoked_ms, id)
) {options}
