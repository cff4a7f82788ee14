-- The sites of each incident, with their newest change.
CREATE TABLE IF NOT EXISTS jetmon_incident_members (
    incident_id BIGINT NOT NULL,
    site_id BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    is_down INTEGER NOT NULL,
    PRIMARY KEY (incident_id, site_id),
    UNIQUE (site_id, incident_id)
) {options}
