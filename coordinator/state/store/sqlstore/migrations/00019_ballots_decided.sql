-- So do those of the ballots of a site.
CREATE INDEX {if_missing} jetmon_ballots_decided ON jetmon_ballots (site_id, decided_ms, id)
