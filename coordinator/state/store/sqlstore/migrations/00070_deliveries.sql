-- Who is to be told of which event, and how far that is; the states are those of rules/delivery.
-- A lane is the site, or the negative of the incident; seq orders a lane of a subscription,
-- whose first row waits (state 1) while the others are behind it (2).
-- next_ms: when a row in state 1 or 6 is due, 0 for a recovery that was not tried yet, which goes
-- first; when the row ended otherwise.
-- delay_ms: how long the news waits at first. tried_ms, http_status, answer: the newest attempt.
CREATE TABLE IF NOT EXISTS jetmon_deliveries (
    id {id},
    subscription_id BIGINT NOT NULL,
    shard INTEGER NOT NULL,
    lane BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    event_key VARCHAR(64) NOT NULL,
    type INTEGER NOT NULL,
    event_id BIGINT NOT NULL,
    transition_id BIGINT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    delay_ms BIGINT NOT NULL,
    tried_ms BIGINT NOT NULL,
    done_ms BIGINT NOT NULL,
    http_status INTEGER NOT NULL,
    answer VARCHAR(500) NOT NULL,
    UNIQUE (event_key, subscription_id)
) {options}
