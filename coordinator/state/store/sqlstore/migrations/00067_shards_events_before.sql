-- Events that were written before 00065 are looked for once.
UPDATE jetmon_shards SET events_pos = writes
