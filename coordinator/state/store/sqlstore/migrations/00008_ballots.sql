-- evidence is JSON: the votes and the checks that led to the ballot.
CREATE TABLE IF NOT EXISTS jetmon_ballots (
    id {id},
    site_id BIGINT NOT NULL,
    bucket INTEGER NOT NULL,
    outage_id BIGINT NOT NULL,
    verdict INTEGER NOT NULL,
    rule_voters INTEGER NOT NULL,
    rule_need INTEGER NOT NULL,
    rule_regions INTEGER NOT NULL,
    round INTEGER NOT NULL,
    opened_ms BIGINT NOT NULL,
    decided_ms BIGINT NOT NULL,
    evidence MEDIUMTEXT NOT NULL,
    UNIQUE (site_id, id),
    UNIQUE (outage_id, bucket, decided_ms, id)
) {options}
