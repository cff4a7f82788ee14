-- Sites in trouble, as their owner saw them a few seconds ago. The key begins with the
-- shard: an owner reads and writes its own stretch of the table, and no other's.
CREATE TABLE IF NOT EXISTS jetmon_suspects (
    shard INTEGER NOT NULL,
    site_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    at_ms BIGINT NOT NULL,
    url VARCHAR(1200) NOT NULL,
    state MEDIUMBLOB NOT NULL,
    PRIMARY KEY (shard, site_id)
) {options}
