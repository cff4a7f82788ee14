-- What became of the turns of some sites of a bucket, those of one part, on a day of UTC (days
-- since 1970). checks is a compressed sheet, see coordinator/state/logbook.
CREATE TABLE IF NOT EXISTS jetmon_check_days (
    bucket INTEGER NOT NULL,
    part BIGINT NOT NULL,
    day_no INTEGER NOT NULL,
    checks MEDIUMBLOB NOT NULL,
    PRIMARY KEY (bucket, part, day_no),
    UNIQUE (bucket, day_no, part)
) {options}
