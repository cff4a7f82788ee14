//go:build !linux

package probe

// newFastEngine is for Linux; elsewhere package net does.
func newFastEngine(c *connector, s *secure) engine { return &netEngine{connector: c, secure: s} }
