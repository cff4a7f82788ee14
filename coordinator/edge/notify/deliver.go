package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
)

// drainTime is what deliveries under way are given when Run's context ends, and
// recordTime what the outbox is given after that. Both fit into the ten seconds in
// which a role stops.
const (
	drainTime  = 3 * time.Second
	recordTime = 1 * time.Second
)

// outboxTimeout bounds one call of the outbox.
const outboxTimeout = 10 * time.Second

// Deliverer delivers the notices of some shards. Its methods are safe for concurrent use.
type Deliverer struct {
	o       Options
	sender  *sender
	outbox  store.Outbox
	metrics *metrics

	poke    chan struct{}
	running atomic.Bool

	mu    sync.Mutex
	board board
}

// New makes a Deliverer. It delivers nothing before Run.
func New(o Options, outbox store.Outbox) (*Deliverer, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	base, err := o.endpoint()
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	if o.Shards == nil {
		return nil, errors.New("notify: the holder of shards must be given")
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	d := &Deliverer{
		o:      o,
		outbox: outbox,
		poke:   make(chan struct{}, 1),
		board:  newBoard(),
	}
	if !o.Disabled {
		d.sender = &sender{base: base, token: o.Token, client: o.client()}
	}
	if d.metrics, err = newMetrics(o.Metrics, d.Status); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return d, nil
}

// Wake says that something was committed, or that a shard was gained: the outbox is read
// at once.
func (d *Deliverer) Wake() {
	select {
	case d.poke <- struct{}{}:
	default: // A poke is waiting already, and the read that it causes is yet to come.
	}
}

// Run delivers until ctx ends, gives deliveries under way five seconds more, and
// returns nil. What was not answered by then stays in the outbox as it is. A second
// Run at the same time is an error.
func (d *Deliverer) Run(ctx context.Context) error {
	if !d.running.CompareAndSwap(false, true) {
		return errors.New("notify: already running")
	}
	defer d.running.Store(false)
	if d.o.Disabled {
		d.o.Log.Warn("delivery to WordPress.com is switched off; changes are recorded and nobody is told")
	}
	r := newRun(ctx, d)
	r.loop(ctx)
	r.drain()
	if d.sender != nil {
		d.sender.client.CloseIdleConnections()
	}
	return nil
}

// owned are the shards whose notices we deliver. A delivery of one that is lost ends in
// its own time: the next owner may send the same notice again, under the same key.
func (d *Deliverer) owned() []shard.ID { return d.o.Shards.Held().Staying() }

// sure are the owned shards that are ours for certain at this moment.
func (d *Deliverer) sure() []shard.ID {
	held := d.o.Shards.Held()
	return slices.DeleteFunc(held.Staying(), func(s shard.ID) bool { return !held[s].Sure })
}

// backoff is the wait after a notice's attempt number attempts (from 1): "full
// jitter", random (in [0, 1)) of a range that doubles with each attempt up to most.
func backoff(attempts int, base, most time.Duration, random float64) time.Duration {
	limit := base
	for range attempts - 1 {
		if limit >= most {
			break
		}
		limit *= 2
	}
	return time.Duration(random * float64(min(limit, most)))
}
