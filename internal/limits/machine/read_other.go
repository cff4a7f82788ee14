//go:build !linux

package machine

import "github.com/Automattic/jetmon/internal/limits"

// Read knows no limits on this system.
func Read() limits.Machine { return nil }
