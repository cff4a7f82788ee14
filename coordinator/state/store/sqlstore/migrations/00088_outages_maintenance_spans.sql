-- When the site was in maintenance during the outage, written when it recovers: milliseconds as
-- START-END, with a comma between two.
ALTER TABLE jetmon_outages ADD COLUMN maintenance_spans MEDIUMTEXT NULL
