//go:build linux

package machine

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	buildWithin   = 5 * time.Minute
	migrateWithin = 2 * time.Minute
)

// Build compiles the jetmon program into a directory.
func Build(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	program := filepath.Join(dir, "jetmon")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "github.com/Automattic/jetmon/cmd/jetmon")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build jetmon: %w: %s", err, out)
	}
	return program, nil
}

// Migrate makes the tables.
func Migrate(ctx context.Context, program, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	if out, err := exec.CommandContext(ctx, program, "migrate", "--db="+dsn).CombinedOutput(); err != nil {
		return fmt.Errorf("jetmon migrate: %w: %s", err, out)
	}
	return nil
}
