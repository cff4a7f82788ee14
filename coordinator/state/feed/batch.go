package feed

import (
	"sync"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// maxBatch bounds the encoded bytes of a batch, but for a transaction that has more alone. What
// reads a message by gRPC's defaults takes 4 MiB.
const maxBatch = 1 << 20

// Item is an event of a batch.
type Item struct {
	event.Event
	// Wire is the event as Options.Encode has encoded it. It is shared.
	Wire []byte

	shard shard.ID
	pos   int64
}

// Batch is what has happened between two positions, in whole transactions. It is shared and
// does not change.
type Batch struct {
	Items []*Item
	// Token is of the position after it.
	Token string

	before, after event.Positions
	bytes         int
	once          sync.Once
	whole         any
}

// Whole returns what make makes of the batch. It is made once, for all who watch everything.
func (b *Batch) Whole(make func(*Batch) any) any {
	b.once.Do(func() { b.whole = make(b) })
	return b.whole
}

// batches divides a page, whose first positions are from, into batches.
func (f *Feed) batches(database uint32, from event.Positions, page store.EventPage) (all []*Batch) {
	at := from
	b := &Batch{before: from}
	end := func(after event.Positions) {
		b.after, b.Token = after, event.Token{Database: database, Positions: after}.String()
		all = append(all, b)
		b = &Batch{before: after}
	}
	for i, stored := range page.Events {
		if i > 0 && b.bytes >= maxBatch && (stored.Shard != page.Events[i-1].Shard || stored.Pos != page.Events[i-1].Pos) {
			end(at)
		}
		at[stored.Shard] = stored.Pos
		if item := f.item(stored); item != nil {
			b.Items, b.bytes = append(b.Items, item), b.bytes+len(item.Wire)
		}
	}
	if page.Next != b.before {
		end(page.Next)
	}
	return all
}

// item decodes and encodes an event; nil when it is none. That must not stop those behind it.
func (f *Feed) item(stored store.StoredEvent) *Item {
	e, err := event.Decode(stored.Body)
	var wire []byte
	if err == nil {
		wire, err = f.o.Encode(stored.Body)
	}
	if err != nil {
		f.o.Log.Error("event left out", "shard", stored.Shard, "pos", stored.Pos, "error", err)
		return nil
	}
	return &Item{Event: e, Wire: wire, shard: stored.Shard, pos: stored.Pos}
}

// since returns what of the batch is new to whoever was at some positions.
func (b *Batch) since(at event.Positions) []*Item {
	var items []*Item
	for _, item := range b.Items {
		if item.pos > at[item.shard] {
			items = append(items, item)
		}
	}
	return items
}
