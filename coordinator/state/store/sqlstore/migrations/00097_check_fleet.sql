-- How often each code came among all sites of a shard in each hour of a day of UTC (days since
-- 1970). checks is compressed, see coordinator/state/logbook.
CREATE TABLE IF NOT EXISTS jetmon_check_fleet (
    shard INTEGER NOT NULL,
    day_no INTEGER NOT NULL,
    checks MEDIUMBLOB NOT NULL,
    PRIMARY KEY (shard, day_no)
) {options}
