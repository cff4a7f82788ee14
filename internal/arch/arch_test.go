package arch

import (
	"slices"
	"strings"
	"testing"
)

// The whole module keeps the rules of rules.go.
func TestTheHouseKeepsItsRules(t *testing.T) {
	t.Parallel()
	h, err := load(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	found, err := h.check()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
	// A rule about a package that is gone binds nobody: it must be noticed.
	for _, name := range slices.Concat(pure(), impure(), roles(), compositionRoots(), []string{
		"coordinator/edge/...", "coordinator/state/...", "coordinator/watchdog",
		"coordinator/state/store/sqlstore", "internal/probe", "cmd/jetmon", "gen/..."}) {
		if !slices.ContainsFunc(h.packages, func(p listed) bool { return matches([]string{name}, p.path) }) {
			t.Errorf("there is no package %s, which rules.go names", name)
		}
	}
}

// testdata/house breaks every rule, beside what looks like it and is allowed.
func TestEveryMistakeIsSeenAndNothingElse(t *testing.T) {
	t.Parallel()
	h, err := load(t.Context(), "testdata/house")
	if err != nil {
		t.Fatal(err)
	}
	found, err := h.check()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found {
		if v.why == "" {
			t.Errorf("%s: %s, and nobody learns why", v.where, v.what)
		}
		got = append(got, v.where+": "+v.what)
	}
	want := strings.Split(strings.TrimSpace(`
checker/checker.go:12: uses os.Getenv
checker/checker.go:13: uses os.Exit
checker: imports flag
coordinator/rules/lifecycle/lifecycle.go:14: uses math/rand/v2.IntN
coordinator/rules/lifecycle/lifecycle.go:14: uses time.Now
coordinator/rules/lifecycle/lifecycle.go:19: starts a goroutine
coordinator/rules/lifecycle: imports context
coordinator/edge/api: imports coordinator/state/store/sqlstore
coordinator/engine/roster: imports context
coordinator/engine/roster: imports coordinator/state/store
coordinator/engine: imports coordinator/edge/api
coordinator/rules/dispatch/stream: imports coordinator/engine
coordinator/rules/dispatch/stream: imports coordinator/engine, which is above its parent coordinator/rules/dispatch
coordinator/state/store: imports coordinator/edge/api
coordinator/state/store: imports database/sql
coordinator/state/store: imports gen/api
coordinator/state/store: imports github.com/go-sql-driver/mysql
coordinator: imports checker
gateway/alias.go:4: imports gen/api as apipb
gateway/change.go:10: table ranged is changed or could be
gateway/change.go:12: table appended is changed or could be
gateway/change.go:4: table assigned is changed or could be
gateway/change.go:5: table indexed is changed or could be
gateway/change.go:6: table deleted is changed or could be
gateway/change.go:7: table field is changed or could be
gateway/change.go:8: table counted is changed or could be
gateway/change.go:9: table addressed is changed or could be
gateway/gateway.go:29: variable Shared is an exported table, which any package can change
gateway/gateway.go:32: variable count is mutable
gateway/gateway.go:33: variable pointer is mutable
gateway/gateway.go:34: variable made is mutable
gateway/gateway.go:35: variable lock is mutable
gateway/gateway.go:36: variable once is mutable
gateway/gateway.go:37: variable first is mutable
gateway/gateway.go:38: variable version is mutable
gateway/gateway.go:56: has an init function
gateway/linked.go:7: table relinked is changed or could be
internal/demo: imports gateway
internal/demo: imports internal/dev
internal/helpers: is named helpers
internal/util: is named util
veriflier/long.go: has 401 lines, at most 400 are allowed
veriflier/shapes.go:135: tooMany takes 5 parameters, at most 4 are allowed
veriflier/shapes.go:160: interface has 13 methods, at most 12 are allowed
veriflier/shapes.go:71: tooLong has 61 lines, at most 60 are allowed
veriflier/long_test.go: has 801 lines, at most 800 are allowed
`), "\n")
	slices.Sort(got)
	slices.Sort(want)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not seen: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("seen, though allowed: %s", g)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d mistakes seen, %d are there", len(got), len(want))
	}
}

func TestPatternsOfPackages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"...", "", true},
		{"...", "a/b", true},
		{"a", "a", true},
		{"a", "a/b", false},
		{"a/...", "a", true},
		{"a/...", "a/b/c", true},
		{"a/...", "ab", false},
		{"a/b/...", "a", false},
	} {
		if got := matches([]string{c.pattern}, c.name); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}
