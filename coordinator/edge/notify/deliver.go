package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// When Run's context ends, deliveries under way have drainTime to finish, and the outbox
// has recordTime after that. Both fit into the ten seconds in which a role stops.
const (
	drainTime  = 3 * time.Second
	recordTime = 1 * time.Second
)

// outboxTimeout bounds one call of the outbox.
const outboxTimeout = 10 * time.Second

// Deliverer delivers the notifications of the owned shards. Its methods are safe for
// concurrent use.
type Deliverer struct {
	o       Options
	sender  atomic.Pointer[sender] // nil when Disabled
	outbox  store.Outbox
	metrics *metrics

	wake    chan struct{}
	running atomic.Bool

	mu    sync.Mutex
	board board
}

// New makes a Deliverer, which delivers nothing before Run.
func New(o Options, outbox store.Outbox) (*Deliverer, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	s, err := newSender(o)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	if o.Shards == nil {
		return nil, errors.New("notify: Shards is required")
	}
	d := &Deliverer{
		o:      o,
		outbox: outbox,
		wake:   make(chan struct{}, 1),
		board:  newBoard(),
	}
	d.sender.Store(s)
	if d.metrics, err = newMetrics(o.Metrics, d.Status); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return d, nil
}

// newSender makes the sender that options describe, nil when they disable delivery.
func newSender(o Options) (*sender, error) {
	base, err := o.endpoint()
	if err != nil || o.Disabled {
		return nil, err
	}
	return &sender{wire: wire{o.Token, o.VeriflierHosts}, base: base, client: o.client()}, nil
}

// Prepare checks the URL, the token and the TLS of options, and returns what makes the next
// attempts use them. Attempts under way go on. Whether delivery is disabled cannot change.
func (d *Deliverer) Prepare(o Options) (apply func(), err error) {
	o = o.withDefaults()
	o.Disabled = d.o.Disabled
	if err := o.validate(); err != nil {
		return nil, err
	}
	s, err := newSender(o)
	if err != nil {
		return nil, err
	}
	return func() {
		if old := d.sender.Swap(s); old != nil {
			old.client.CloseIdleConnections()
		}
	}, nil
}

// Wake makes Run read the outbox at once, because a change was committed or a shard was
// gained.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // A wake-up is pending; the read that it causes is still to come.
	}
}

// Run delivers until ctx ends, gives the deliveries under way drainTime to finish, and
// returns nil. Notifications without an answer by then stay in the outbox unchanged. A
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
	if s := d.sender.Load(); s != nil {
		s.client.CloseIdleConnections()
	}
	return nil
}

// owned returns the shards whose notifications we deliver. When we lose a shard, its
// deliveries under way are not interrupted: the next owner may send the same notification
// again, under the same key.
func (d *Deliverer) owned() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return d.silent(held[s]) })
}

// sure returns the owned shards that are certainly ours at this moment.
func (d *Deliverer) sure() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return d.silent(held[s]) || !held[s].Sure })
}

// muted returns our shards of whose changes WordPress.com hears nothing.
func (d *Deliverer) muted() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return !d.silent(held[s]) })
}

// silent reports whether WordPress.com hears nothing of a shard's changes.
func (d *Deliverer) silent(t shard.Tenure) bool { return d.o.Disabled || t.Voice != shard.Telling }
