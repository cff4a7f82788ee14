-- Every status change that was committed. change_key makes a commit idempotent for ever.
-- body is JSON: the whole change but its cause and its ballot, which is ballot_id's (0: none).
CREATE TABLE IF NOT EXISTS jetmon_transitions (
    id {id},
    change_key VARCHAR(64) NOT NULL,
    site_id BIGINT NOT NULL,
    blog_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    outage_id BIGINT NOT NULL,
    ballot_id BIGINT NOT NULL,
    from_status INTEGER NOT NULL,
    to_status INTEGER NOT NULL,
    start_ms BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    last_check_ms BIGINT NOT NULL,
    delivered_ms BIGINT NOT NULL,
    body MEDIUMTEXT NOT NULL,
    UNIQUE (change_key),
    UNIQUE (site_id, id)
) {options}
