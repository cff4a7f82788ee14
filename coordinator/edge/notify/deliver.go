package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// When Run's context ends, deliveries under way have drainTime to finish, and the store
// has recordTime after that. Both fit into the ten seconds in which a role stops.
const (
	drainTime  = 3 * time.Second
	recordTime = 1 * time.Second
)

// storeTimeout bounds one call of the store.
const storeTimeout = 10 * time.Second

// Store is what a Deliverer needs of the store.
type Store interface {
	store.Deliveries
	store.Listeners
	store.Outbox
}

// Deliverer delivers the notifications of the owned shards. Its methods are safe for
// concurrent use.
type Deliverer struct {
	o       Options
	wpcom   atomic.Pointer[wpcom.Channel] // nil when Disabled
	store   Store
	metrics *metrics

	wake    chan struct{}
	running atomic.Bool

	mu    sync.Mutex
	board board
}

// New makes a Deliverer, which delivers nothing before Run.
func New(o Options, s Store) (*Deliverer, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	to, err := o.wpcom()
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	if o.Shards == nil {
		return nil, errors.New("notify: Shards is required")
	}
	d := &Deliverer{o: o, store: s, wake: make(chan struct{}, 1), board: newBoard()}
	d.wpcom.Store(to)
	if d.metrics, err = newMetrics(o.Metrics, d.Status); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return d, nil
}

// Prepare checks the URL, the token and the TLS of options, and returns what makes the next
// attempts use them. Attempts under way go on. Whether delivery is disabled cannot change.
func (d *Deliverer) Prepare(o Options) (apply func(), err error) {
	o = o.withDefaults()
	o.Disabled = d.o.Disabled
	if err := o.validate(); err != nil {
		return nil, err
	}
	to, err := o.wpcom()
	if err != nil {
		return nil, err
	}
	return func() {
		if old := d.wpcom.Swap(to); old != nil {
			old.Close()
		}
	}, nil
}

// legacy tells WordPress.com as it is configured at the moment.
type legacy struct{ d *Deliverer }

// Tell implements channel.Channel.
func (l legacy) Tell(ctx context.Context, what channel.Delivery) channel.Answer {
	return l.d.wpcom.Load().Tell(ctx, what)
}

// Close implements channel.Channel.
func (l legacy) Close() {
	if c := l.d.wpcom.Load(); c != nil {
		c.Close()
	}
}

// Wake makes Run look at once, because something was committed, a subscription changed, a
// delivery is to be told again, or a shard was gained.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // A wake-up is pending; the look that it causes is still to come.
	}
}

// Run delivers until ctx ends, gives the deliveries under way drainTime to finish, and
// returns nil. Deliveries without an answer by then stay in the store unchanged. A
// second Run at the same time is an error.
func (d *Deliverer) Run(ctx context.Context) error {
	if !d.running.CompareAndSwap(false, true) {
		return errors.New("notify: already running")
	}
	defer d.running.Store(false)
	if d.o.Disabled {
		d.o.Log.Warn("delivery to WordPress.com is off; changes are recorded but not sent")
	}
	r := newRun(ctx, d)
	r.loop(ctx)
	r.drain()
	return nil
}

// owned returns the shards of whose changes WordPress.com is told. When we lose a shard, its
// deliveries under way are not interrupted: the next owner may send the same notification
// again, under the same key.
func (d *Deliverer) owned() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return d.silent(held[s]) })
}

// muted returns our shards of whose changes WordPress.com hears nothing.
func (d *Deliverer) muted() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return !d.silent(held[s]) })
}

// silent reports whether WordPress.com hears nothing of a shard's changes.
func (d *Deliverer) silent(t shard.Tenure) bool { return d.o.Disabled || t.Voice != shard.Telling }
