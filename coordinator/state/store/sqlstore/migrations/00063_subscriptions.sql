-- Who is told of which events, by which way. body is JSON: all that is not a column, without
-- the secrets, which are JSON of their own. revision rises with each change.
CREATE TABLE IF NOT EXISTS jetmon_subscriptions (
    id {id},
    name VARCHAR(100) NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    state_why VARCHAR(500) NOT NULL,
    state_ms BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    body MEDIUMTEXT NOT NULL,
    secrets MEDIUMTEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    UNIQUE (name)
) {options}
