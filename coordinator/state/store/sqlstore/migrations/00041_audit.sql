-- Who changed what. before_json and after_json are empty when the resource did not exist.
CREATE TABLE IF NOT EXISTS jetmon_audit (
    id {id},
    at_ms BIGINT NOT NULL,
    caller VARCHAR(255) NOT NULL,
    method VARCHAR(255) NOT NULL,
    resource VARCHAR(64) NOT NULL,
    before_json MEDIUMTEXT NOT NULL,
    after_json MEDIUMTEXT NOT NULL,
    request_id VARCHAR(128) NOT NULL,
    UNIQUE (at_ms, id),
    UNIQUE (resource, at_ms, id)
) {options}
