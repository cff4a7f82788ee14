// Package gocmd runs the go command for tests.
package gocmd

import (
	"context"
	"os"
	"os/exec"
)

// Command is the go command without cgo, which the race detector alone needs: what it builds is then
// what make has built already, also for tests that run under the detector.
func Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}
