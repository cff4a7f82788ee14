-- What became of the turns of a bucket's sites in an hour of UTC (hours since 1970): the journal.
-- n tells the rows of an hour apart, and rises with the time at which they were written; it is less
-- than 1000 for what a fold has made of others.
-- checks is a compressed sheet, see coordinator/state/logbook.
CREATE TABLE IF NOT EXISTS jetmon_check_hours (
    bucket INTEGER NOT NULL,
    hour_no INTEGER NOT NULL,
    n BIGINT NOT NULL,
    checks MEDIUMBLOB NOT NULL,
    PRIMARY KEY (bucket, hour_no, n)
) {options}
