//go:build wordpress

package wordpress

import (
	"os"
	"testing"
)

// plugin returns the directory of the plugin that the caller brings.
func plugin(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("JETPACK_DIR")
	if dir == "" {
		t.Fatal("JETPACK_DIR must be the directory of a plugin with Jetpack's connection and sync packages")
	}
	return dir
}

// newSite starts a site.
func newSite(t testing.TB, o Options) *Site {
	t.Helper()
	o.Jetpack = plugin(t)
	return New(t, o)
}
