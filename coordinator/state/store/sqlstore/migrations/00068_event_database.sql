-- The number of this database, by which positions of events in it are told from those in
-- others: one row.
CREATE TABLE IF NOT EXISTS jetmon_event_database (
    id INTEGER NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
) {options}
