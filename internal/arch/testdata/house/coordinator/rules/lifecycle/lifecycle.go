// Package lifecycle ought to be pure.
package lifecycle

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Step looks at the clock and at the dice, and is given dice as it should be.
func Step(_ context.Context, r *rand.Rand, s check.Site) (time.Time, int) {
	return time.Now().Add(time.Duration(r.IntN(9))), rand.IntN(6) + int(s)
}

// Later computes something in a goroutine.
func Later(out chan<- int) {
	go func() { out <- 1 }()
}
