// Package demo must not.
package demo

import (
	_ "github.com/Automattic/jetmon/gateway"
	_ "github.com/Automattic/jetmon/internal/dev"
)
