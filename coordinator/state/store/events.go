package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Events reads what has happened, as it was told or might have been.
type Events interface {
	// EventDatabase returns the number of the database, by which positions in it are told from
	// those in others. The first call chooses it at random.
	EventDatabase(ctx context.Context) (uint32, error)
	// ReadEvents reads the events after some positions, all as of one moment: at most limit, 1
	// to 10,000, or a few more so that each transaction is whole. Within a shard they are in
	// their order. Where a position is below what has expired, some are missing.
	ReadEvents(ctx context.Context, after event.Positions, limit int) (EventPage, error)
}

// EventPage is what ReadEvents has read.
type EventPage struct {
	Events []StoredEvent
	// Next are the positions after these events.
	Next event.Positions
	// Heads are the positions of the newest events at that moment, 0 of a shard that has had
	// none; Expired those up to which events are no longer kept.
	Heads, Expired event.Positions
}

// StoredEvent is an event as it was frozen.
type StoredEvent struct {
	Shard shard.ID
	// Pos is the position of its transaction.
	Pos  int64
	Body string
}
