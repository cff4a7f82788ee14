//go:build !linux

package docs

import "testing"

// alone skips the test where there are no networks of one's own.
func alone(t *testing.T) (programs string, isInside bool) {
	t.Helper()
	t.Skip("only Linux has networks of one's own")
	return "", false
}
