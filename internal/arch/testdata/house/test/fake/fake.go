// Package fake serves tests: it may start things once.
package fake

import (
	"os"
	"sync"
)

var once = sync.OnceValue(func() string { return os.Getenv("X") })
