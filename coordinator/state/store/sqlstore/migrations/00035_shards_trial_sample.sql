-- How many sites each watched site of the trial stands for: 1 when all are watched.
ALTER TABLE jetmon_shards ADD COLUMN trial_sample INTEGER NOT NULL DEFAULT 0
