// Package engine stands on dispatch, and knows the edge.
package engine

import (
	_ "github.com/Automattic/jetmon/coordinator/edge/api"
	_ "github.com/Automattic/jetmon/coordinator/rules/dispatch"
)
