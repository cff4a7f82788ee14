-- The coordinators that share the work, also those that own no shard at the moment.
CREATE TABLE IF NOT EXISTS jetmon_members (
    node VARCHAR(255) NOT NULL PRIMARY KEY,
    endpoint VARCHAR(255) NOT NULL,
    first_shard INTEGER NOT NULL,
    last_shard INTEGER NOT NULL,
    expires_ms BIGINT NOT NULL
) {options}
