package scenario

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/gocmd"
	"github.com/Automattic/jetmon/test/release"
)

// buildOlder compiles the program of a version.
func buildOlder(t *testing.T, v release.Version) (path string) {
	t.Helper()
	dir := v.CheckOut(t)
	path = filepath.Join(t.TempDir(), "jetmon")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if out, err := gocmd.Command(ctx, "-C", dir, "build", "-buildvcs=false", "-o", path, "./cmd/jetmon").CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", v.Commit, err, out)
	}
	return path
}
