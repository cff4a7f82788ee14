-- How often the table of maintenances was edited, in the row with the id 1: by it those who keep
-- them in memory know whether theirs are the present ones. Each edit changes it first, so that
-- edits come one after the other.
CREATE TABLE IF NOT EXISTS jetmon_maintenance_edits (
    id INTEGER NOT NULL PRIMARY KEY,
    edits BIGINT NOT NULL
) {options}
