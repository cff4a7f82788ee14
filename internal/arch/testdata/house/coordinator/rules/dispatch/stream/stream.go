// Package stream hangs below its parent and imports above it.
package stream

import (
	_ "github.com/Automattic/jetmon/coordinator/engine"
	_ "github.com/Automattic/jetmon/coordinator/rules/dispatch"
)
