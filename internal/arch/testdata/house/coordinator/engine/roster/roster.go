// Package roster is a part that wants a context.
package roster

import (
	_ "context"

	_ "github.com/Automattic/jetmon/coordinator/state/store"
)
