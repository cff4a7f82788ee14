-- The summaries of some sites of a bucket, those of one part, of a day of UTC (days since 1970).
-- checks is compressed, see coordinator/state/logbook.
CREATE TABLE IF NOT EXISTS jetmon_check_summaries (
    bucket INTEGER NOT NULL,
    part BIGINT NOT NULL,
    day_no INTEGER NOT NULL,
    checks MEDIUMBLOB NOT NULL,
    PRIMARY KEY (bucket, part, day_no),
    UNIQUE (bucket, day_no, part)
) {options}
