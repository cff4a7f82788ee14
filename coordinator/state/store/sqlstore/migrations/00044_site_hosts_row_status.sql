-- What the legacy row said when it was read last: its site_status.
ALTER TABLE jetmon_site_hosts ADD COLUMN row_status INTEGER NOT NULL DEFAULT 1
