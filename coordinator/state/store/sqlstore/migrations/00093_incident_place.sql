-- Up to where events were looked at for incidents: one row, whose positions are JSON.
CREATE TABLE IF NOT EXISTS jetmon_incident_place (
    id INTEGER NOT NULL PRIMARY KEY,
    positions MEDIUMTEXT NOT NULL
) {options}
