-- Lists of outages begin with the newest; ids do not say which that is.
CREATE INDEX {if_missing} jetmon_outages_confirmed ON jetmon_outages (confirmed_ms, id)
