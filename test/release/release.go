package release

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds a checkout.
const patience = time.Minute

// Version is an older version of the program.
type Version struct {
	Commit string
	// Waits is how much longer than its interval a site may wait while the version is replaced.
	Waits time.Duration
}

// Before reads testdata/upgrade-from of the calling test's package. A file and no rule ("the
// newest tag") says which versions there are: whoever runs the test knows what was run, and a
// release that breaks the promise cannot move it by itself. A clone that has not a version is told
// how to get it.
func Before(t testing.TB) (all []Version) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "upgrade-from"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.LastIndexByte(line, ' ') // a message has blanks, too
		waits, err := time.ParseDuration(line[end+1:])
		if err != nil || end < 0 {
			t.Fatalf("testdata/upgrade-from: %q is not a commit and a duration", line)
		}
		all = append(all, Version{Commit: find(t, strings.TrimSpace(line[:end])), Waits: waits})
	}
	return all
}

// find returns the commit of a revision as git spells it: its hash, or HEAD^{/REGEXP}, the newest
// one before HEAD with such a message, which is found after a rebase as well.
func find(t testing.TB, revision string) (commit string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}").Output()
	if err != nil {
		t.Fatalf("this clone has no commit %s, from which to upgrade: it needs the history, git fetch --unshallow", revision)
	}
	return strings.TrimSpace(string(out))
}

// CheckOut returns a folder with the files of the version, a repository of its own whose only
// commit it is. It is gone with the test.
func (v Version) CheckOut(t testing.TB) (dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatalf("git rev-parse --show-toplevel: %v", err)
	}
	dir = t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"-c", "protocol.version=2", "fetch", "--quiet", "--depth=1", strings.TrimSpace(string(top)), v.Commit},
		{"-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD"},
	} {
		if out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir
}
