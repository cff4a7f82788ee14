-- From which regions the failure was seen when the outage opened, as a JSON array of names; NULL when
-- a version opened it that did not note them.
ALTER TABLE jetmon_outages ADD COLUMN seen_regions MEDIUMTEXT NULL
