-- Who owns a shard; owner is empty when it was given back.
CREATE TABLE IF NOT EXISTS jetmon_shards (
    shard INTEGER NOT NULL PRIMARY KEY,
    owner VARCHAR(255) NOT NULL,
    endpoint VARCHAR(255) NOT NULL,
    term BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
) {options}
