// Package dev may import roles, and the other composition root.
package dev

import (
	_ "github.com/Automattic/jetmon/gateway"
	_ "github.com/Automattic/jetmon/internal/cluster"
)
