//go:build packaging

package debian

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes the package of a tree in a folder, as make deb does.
func build(t *testing.T, tree, out string, env ...string) (path string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "deploy/debian/build.sh", out)
	cmd.Dir, cmd.Env = tree, append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	name, err := cmd.Output()
	if err != nil {
		t.Fatalf("build the package: %v\n%s", err, errs.String())
	}
	return strings.TrimSpace(string(name))
}

// command runs a program of this machine, and returns what it prints.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestTheSameCommitMakesTheSamePackageOfWhichLintianHasNothingToSay(t *testing.T) {
	t.Parallel()
	makes(t, "deb", "deploy/debian/build.sh dist")
	deb := build(t, tree, t.TempDir(), "SOURCE_DATE_EPOCH=1700000000")
	one, err := os.ReadFile(deb)
	must(t, err)
	other, err := os.ReadFile(build(t, tree, t.TempDir(), "SOURCE_DATE_EPOCH=1700000000"))
	must(t, err)
	if !bytes.Equal(one, other) {
		t.Error("two builds of one commit differ")
	}
	if out := command(t, "lintian", "--allow-root", "--fail-on", "error,warning", deb); strings.TrimSpace(out) != "" {
		t.Errorf("lintian says:\n%s", out)
	}
}

// systemd's own measure: 10 is a program that may do everything, in tenths.
func TestTheUnitIsHardened(t *testing.T) {
	t.Parallel()
	unit, err := filepath.Abs(tree + "/deploy/systemd/jetmon@.service")
	must(t, err)
	out := command(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit)
	_, overall, _ := strings.Cut(out, "Overall")
	t.Log(overall)
}
