-- Sites that failed together; end_ms is 0 while it goes on. examples is JSON. told is 0 until
-- others have heard of it.
CREATE TABLE IF NOT EXISTS jetmon_incidents (
    id BIGINT NOT NULL PRIMARY KEY,
    cause INTEGER NOT NULL,
    value VARCHAR(255) NOT NULL,
    start_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    members BIGINT NOT NULL,
    down BIGINT NOT NULL,
    told BIGINT NOT NULL,
    told_ms BIGINT NOT NULL,
    examples MEDIUMTEXT NOT NULL,
    UNIQUE (end_ms, id)
) {options}
