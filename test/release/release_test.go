package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/release"
)

// What is checked out names its commit, as the package's changelog and version do.
func TestACheckOutIsARepositoryOfThatCommit(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(out))
	dir := release.Version{Commit: commit}.CheckOut(t)
	head, err := exec.CommandContext(t.Context(), "git", "-C", dir, "rev-parse", "HEAD").CombinedOutput()
	if err != nil || strings.TrimSpace(string(head)) != commit {
		t.Errorf("HEAD is %s, %v; want %s", head, err, commit)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Error(err)
	}
}

func TestAVersionIsNamedByItsHashOrItsMessage(t *testing.T) {
	t.Chdir(t.TempDir())
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=n", "-c", "user.email=n@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "-m", "The first one")
	first := git("rev-parse", "HEAD")
	git("commit", "--quiet", "--allow-empty", "-m", "The second one")
	second := git("rev-parse", "HEAD")
	if err := os.Mkdir("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	text := "# Versions.\n\nHEAD^{/^The second one} 20s\n" + first + " 1m\n"
	if err := os.WriteFile(filepath.Join("testdata", "upgrade-from"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []release.Version{{Commit: second, Waits: 20 * time.Second}, {Commit: first, Waits: time.Minute}}
	if got := release.Before(t); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
