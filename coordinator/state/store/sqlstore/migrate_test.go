package sqlstore

import (
	"testing"
)

// A migration that adds a column can run again; any other failure of it stays a failure.
func TestAddingAColumnIsIdempotent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, Options{})
		apply := func(statement string) error {
			tx, err := s.writer.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.dsn.dialect.apply(t.Context(), tx, statement); err != nil {
				_ = tx.Rollback()
				return err
			}
			return tx.Commit()
		}
		const add = "-- What it is for.\nALTER TABLE jetmon_shards\n    ADD COLUMN added INTEGER NOT NULL DEFAULT 7\n"
		for range 2 {
			if err := apply(add); err != nil {
				t.Fatal(err)
			}
		}
		var n int
		if err := s.reader.QueryRowContext(t.Context(), "SELECT COALESCE(SUM(added), 0) FROM jetmon_shards").Scan(&n); err != nil {
			t.Error(err)
		}
		for _, wrong := range []string{
			"ALTER TABLE jetmon_nowhere ADD COLUMN added INTEGER NOT NULL DEFAULT 7",
			"ALTER TABLE jetmon_shards ADD COLUMN other INTEGER NOT NULL DEFAULT",
			"ALTER TABLE jetmon_shards ADD COLUMN",
			"ALTER TABLE jetmon_shards DROP COLUMN nowhere",
			"CREATE TABLE jetmon_shards (shard INTEGER)",
		} {
			if err := apply(wrong); err == nil {
				t.Errorf("%s: done", wrong)
			}
		}
	})
}
