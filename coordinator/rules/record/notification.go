package record

import "time"

// Notification reports a status change to WordPress.com.
type Notification struct {
	ID  int64
	Key string
	// Change is the reported change; its Cause is not kept.
	Change Change
	// OutageID is the outage concerned, 0 when there is none.
	OutageID int64
	// Attempts counts the attempts so far; the next one is not before NextAttempt.
	Attempts    int
	NextAttempt time.Time
	Created     time.Time
}
