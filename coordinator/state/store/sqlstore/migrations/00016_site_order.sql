-- The place of the newest change of each site that ever had one. A commit raises it, and
-- its change takes that place: ids do not order changes, since several servers of one
-- database hand them out in blocks.
CREATE TABLE IF NOT EXISTS jetmon_site_order (
    site_id BIGINT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL
) {options}
