// Package coordinator imports what a role may, and one thing that it may not.
package coordinator

import (
	_ "github.com/Automattic/jetmon/checker"
	_ "github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	_ "github.com/Automattic/jetmon/gen/api"
	_ "github.com/Automattic/jetmon/internal/check"
)
