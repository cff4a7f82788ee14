//go:build !linux

package probe

import "log/slog"

// newFastEngine returns the portable engine: the fast one exists on Linux only.
func newFastEngine(c *connector, s *secure, _ *slog.Logger) engine {
	return &netEngine{connector: c, secure: s}
}
