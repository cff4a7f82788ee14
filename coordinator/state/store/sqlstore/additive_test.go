package sqlstore

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// A program of the version before works on the schema that a migration leaves (docs/upgrading.md):
// a step adds a table, an index or a column that statements which do not know it need not name.
// Indexes that are unique, and statements on rows, can break a program that runs meanwhile, so
// each has its reason here.
func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	allowed := []*regexp.Regexp{
		regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS jetmon_`),
		regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS jetpack_monitor_sites `), // where v1 has not been
		regexp.MustCompile(`^CREATE INDEX (IF NOT EXISTS |\{if_missing\} ?)?\w+ ON `),
		regexp.MustCompile(`^ALTER TABLE jetmon_\w+ ADD COLUMN \w+ \w+(\(\d+\))? (NOT NULL DEFAULT ('.*'|\d+)|NULL( DEFAULT NULL)?)$`),
	}
	reasons := map[string]string{
		"00021_site_status_of_changes.sql": "fills a table that no earlier program knows",
		"00051_shards_hosts_again.sql":     "has the index of hosts built again, which every program that has one does by itself",
		"00067_shards_events_before.sql":   "fills a column that no earlier program knows",
	}
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d migrations, %v", len(names), err)
	}
	for _, path := range names {
		name := strings.TrimPrefix(path, "migrations/")
		text, err := fs.ReadFile(migrationFiles, path)
		if err != nil {
			t.Fatal(err)
		}
		statement := plainStatement(string(text))
		if reasons[name] != "" {
			continue
		}
		fits := false
		for _, form := range allowed {
			fits = fits || form.MatchString(statement)
		}
		if !fits {
			t.Errorf("%s may break a program of the version before: %s", name, statement)
		}
	}
}

// plainStatement removes comments and line breaks.
func plainStatement(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		words = append(words, strings.Fields(line)...)
	}
	return strings.TrimSuffix(strings.Join(words, " "), ";")
}
