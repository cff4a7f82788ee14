//go:build packaging

package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tree      = "../.."
	readme    = tree + "/deploy/README.md"
	upgrading = tree + "/docs/upgrading.md"
)

// steps returns the blocks of a section of a page in which commands stand.
func steps(t *testing.T, page, section string) (all []string) {
	t.Helper()
	raw, err := os.ReadFile(page)
	must(t, err)
	in, fence, block := false, "", ""
	for line := range strings.Lines(string(raw)) {
		switch {
		case fence == "" && strings.HasPrefix(line, "#"):
			in = strings.TrimSpace(line) == section
		case !in:
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = line
		case strings.HasPrefix(line, "```"):
			if strings.TrimSpace(fence) == "```" {
				all = append(all, block)
			}
			fence, block = "", ""
		case fence != "":
			block += line
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no steps in %q", page, section)
	}
	return all
}

// follow takes the steps of a section of the README.
func (m *machine) follow(section, folder, dsn string) string {
	m.t.Helper()
	return m.take(steps(m.t, m.readme, section), folder, dsn)
}

// take takes steps as a reader does who stands in a folder of the machine, and returns what they
// print. make has run already, and the editor types the database's address.
func (m *machine) take(steps []string, folder, dsn string) string {
	m.t.Helper()
	const prelude = `
make() { test "$*" = deb -o "$*" = build; }
editor() { echo "$DSN" >"$1"; }
`
	out := ""
	for _, block := range steps {
		out += m.run("DSN='" + dsn + "'\n" + prelude + "cd " + folder + "\n" + block)
	}
	return out
}

// makes checks that a target of make is what the test has run instead.
func makes(t *testing.T, target, command string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(tree, "Makefile"))
	must(t, err)
	_, rest, found := strings.Cut(string(raw), "\n"+target+":")
	_, recipe, _ := strings.Cut(rest, "\n")
	if first, _, _ := strings.Cut(recipe, "\n"); !found || first != "\t"+command {
		t.Errorf("make %s is %q, and the test has run %q", target, strings.TrimSpace(first), command)
	}
}
