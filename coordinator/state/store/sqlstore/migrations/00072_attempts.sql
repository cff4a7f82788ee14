-- The newest attempts at a delivery that the endpoint did not accept.
CREATE TABLE IF NOT EXISTS jetmon_attempts (
    delivery_id BIGINT NOT NULL,
    n INTEGER NOT NULL,
    at_ms BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    http_status INTEGER NOT NULL,
    answer VARCHAR(500) NOT NULL,
    PRIMARY KEY (delivery_id, n)
) {options}
