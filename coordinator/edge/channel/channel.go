// Package channel tells one endpoint of one event: it makes one attempt, and says what came of
// it. Each kind of subscription has a channel of its own, in a package below this one.
//
// It does not choose what to tell, nor when: package notify does, and calls it again as the
// answer says. An attempt may be repeated, under the same key; what is sent for one key never
// differs.
package channel

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// Channel tells one endpoint. Its methods are safe for concurrent use.
type Channel interface {
	// Tell makes one attempt, until ctx ends at the latest.
	Tell(ctx context.Context, d Delivery) Answer
	// Close ends idle connections. Attempts under way go on.
	Close()
}

// Delivery is one event to tell.
type Delivery struct {
	// Key is the idempotency key, the same in each attempt.
	Key string
	// Attempt numbers the attempts, from 1.
	Attempt int
	// Body is the event as it is stored; Event is the same.
	Body  string
	Event event.Event
	// Change is the change of status as v1's form needs it; nil unless the event is one.
	Change *record.Change
	// Again means that the delivery was accepted before, and is repeated to keep an alert alive.
	Again bool
}

// Verdict is what came of an attempt.
type Verdict uint8

// The verdicts. The zero value is no verdict.
const (
	// Accepted: the endpoint has it.
	Accepted Verdict = iota + 1
	// Failed: try again later.
	Failed
	// Hopeless: it will never be accepted, as a 400 or a 413 says.
	Hopeless
	// Refused: the endpoint refuses us whatever we tell it, as a 401 or a 403 says.
	Refused
)

// Answer is what came of an attempt.
type Answer struct {
	Verdict Verdict
	// HTTPStatus is the status of the answer, 0 when there was none.
	HTTPStatus int
	// Text is the answer, or why there was none: at most MaxTextBytes, no control characters,
	// no secrets.
	Text string
	// RetryAfter is how long the endpoint asks to be left alone; 0 when it does not say.
	RetryAfter time.Duration
	// Renew, unless 0, is when to tell an accepted event again, if none of its site followed.
	Renew time.Duration
}

// MaxTextBytes bounds the text of an answer.
const MaxTextBytes = 500
