// Package roster is a part that wants a context, and the store.
package roster

import (
	_ "context"

	_ "github.com/Automattic/jetmon/coordinator/state/store"
)
