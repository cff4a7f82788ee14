-- What others may be told of, frozen in the transaction in which it happened; body is JSON.
-- pos is the shard's count of fenced transactions (00017) at that moment, n the row's place
-- among those of its transaction: since a fenced transaction holds the shard's row to its end,
-- rows of a shard become visible in the order of (pos, n).
CREATE TABLE IF NOT EXISTS jetmon_events (
    id {id},
    shard INTEGER NOT NULL,
    pos BIGINT NOT NULL,
    n INTEGER NOT NULL,
    type INTEGER NOT NULL,
    event_key VARCHAR(64) NOT NULL,
    site_id BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    body MEDIUMTEXT NOT NULL,
    UNIQUE (event_key),
    UNIQUE (shard, pos, n)
) {options}
