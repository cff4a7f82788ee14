//go:build !linux

package probe

// newFastEngine returns the portable engine: the fast one exists on Linux only.
func newFastEngine(c *connector, s *secure) engine { return &netEngine{connector: c, secure: s} }
