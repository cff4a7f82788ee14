// Package delivery defines a delivery: one event on its way to one subscription, and what came
// of the attempts at it.
//
// The deliveries of a subscription that concern the same site, or the same incident, are a
// lane: they are told one after the other, in the order in which they were committed. Lanes
// know nothing of one another.
//
// It decides nothing: package notify does, state/store keeps what it decides.
package delivery

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// State says how far a delivery is.
type State uint8

// The states. The numbers never change: they are stored.
const (
	StateNone State = iota
	// Waiting is the first of its lane: it is told at Next.
	Waiting
	// Behind waits for an older one of its lane.
	Behind
	// Delivered was accepted.
	Delivered
	// Dead will not be tried again, unless somebody asks for it.
	Dead
	// Superseded was never tried: the site was up again before its delay was over.
	Superseded
	// Alive was accepted, and is repeated until another event about the same comes.
	Alive
	// StateLast is the last of them.
	StateLast = Alive
)

var stateNames = [...]string{"unspecified", "waiting", "behind", "delivered", "dead", "superseded", "alive"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Pending reports whether the delivery is still to be told.
func (s State) Pending() bool { return s == Waiting || s == Behind }

// Delivery is one event on its way to one subscription.
type Delivery struct {
	ID           int64
	Subscription int64
	Shard        shard.ID
	// SiteID is 0 when the event is of no site.
	SiteID check.SiteID
	// Lane is the site's id, or the negative of the incident's; Sequence orders a lane.
	Lane, Sequence int64
	// Key is the idempotency key: that of the event.
	Key  string
	Type event.Type
	// EventID is the event, 0 when an older version wrote none. TransitionID is the change of
	// status, 0 when the event is none.
	EventID, TransitionID int64
	State                 State
	// Attempts counts the attempts so far; the next one is not before Next.
	Attempts int
	Next     time.Time
	Created  time.Time
	// Since is when the attempts could begin: Created, or when somebody asked for it again.
	Since time.Time
	// Delayed means that the news waits for its delay; see subscription.Subscription.
	Delayed bool
	// Tried is when the newest attempt began, Done when the delivery ended; zero when none did.
	Tried, Done time.Time
	// Newest is what came of the newest attempt.
	Newest Answer
}

// Answer is what came of an attempt, without what it leads to.
type Answer struct {
	// Accepted is set when the endpoint has it.
	Accepted bool
	// HTTPStatus is the status of the answer, 0 when there was none.
	HTTPStatus int
	// Text is the answer or why there was none, at most 500 bytes.
	Text string
	// Took is how long the attempt lasted.
	Took time.Duration
}

// Attempt is one attempt at a delivery.
type Attempt struct {
	// Number counts the attempts at a delivery, from 1.
	Number int
	At     time.Time
	Answer
}

// MaxAttempts is how many attempts at a delivery are kept, the newest.
const MaxAttempts = 20

// Due is a delivery with what is to be told.
type Due struct {
	Delivery
	// Body is the event as it was stored; empty when it is not there any more.
	Body string
	// Change is the change of status, read for those who need it; nil when there is none.
	Change *record.Change
}

// Result is an attempt, and what it means for the delivery.
type Result struct {
	Delivery
	// At is when the attempt began.
	At time.Time
	Answer
	// Then is the delivery's next state: Waiting to try again at Again, Alive to repeat it then,
	// Delivered, or Dead.
	Then  State
	Again time.Time
}

// Count counts the deliveries of a subscription in a shard.
type Count struct {
	Subscription int64
	Shard        shard.ID
	// Pending counts those still to be told, Dead the dead letters.
	Pending, Dead int
}
