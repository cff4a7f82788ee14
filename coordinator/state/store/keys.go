package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// KeyLife is how long an idempotency key is known.
const KeyLife = 24 * time.Hour

// Keys adds sites once each, whoever repeats the call.
type Keys interface {
	// CreateSiteOnce is CreateSite under an idempotency key, which it keeps with the site. Where
	// the key is known already it adds nothing and returns the site of that call, as it is by
	// now, NotFound when that is gone; Invalid when the call was about another site.
	CreateSiteOnce(ctx context.Context, key Key, s record.Site) (site record.Site, err error)
	// ExpireKeys forgets at most limit keys that were used before a time, and returns how many.
	ExpireKeys(ctx context.Context, before time.Time, limit int) (int, error)
}

// Key is an idempotency key.
type Key struct {
	// Hash is of the caller and of the key, Request of the site that is to be added.
	Hash, Request [32]byte
	// At is the time of the call. A key from more than KeyLife before is not known.
	At time.Time
}
