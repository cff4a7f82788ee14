-- How many deliveries of each subscription are still to be told, and how many are dead letters;
-- written with them, so that nobody has to count.
CREATE TABLE IF NOT EXISTS jetmon_delivery_counts (
    subscription_id BIGINT NOT NULL,
    shard INTEGER NOT NULL,
    pending BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    PRIMARY KEY (shard, subscription_id),
    UNIQUE (subscription_id, shard)
) {options}
