package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/checkpoint"
	"github.com/Automattic/jetmon/coordinator/deletion"
	"github.com/Automattic/jetmon/coordinator/dispatch"
	"github.com/Automattic/jetmon/coordinator/dispatch/stream"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/expiry"
	"github.com/Automattic/jetmon/coordinator/intake"
	"github.com/Automattic/jetmon/coordinator/ledger"
	"github.com/Automattic/jetmon/coordinator/notify"
	"github.com/Automattic/jetmon/coordinator/ownership"
	"github.com/Automattic/jetmon/coordinator/panel"
	"github.com/Automattic/jetmon/coordinator/peers"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/coordinator/storm"
)

// Coordinator is the role. New makes one.
type Coordinator struct {
	o         Options
	engine    *engine.Engine
	panel     *panel.Panel
	ledger    *ledger.Ledger
	notify    *notify.Deliverer
	ownership *ownership.Ownership
	expiry    *expiry.Expiry
	deletion  *deletion.Deletion
	memos     *checkpoint.Checkpoint
	stream    *stream.Server
	servers   servers
	intake    *intake.Intake
	peers     *peers.Peers
	loaded    atomic.Bool // what we owned at first
}

// New checks the options and puts the rooms together. Nothing runs before Run.
func New(o Options) (*Coordinator, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.BucketMin%shard.BucketsPer != 0 || (o.BucketMax+1)%shard.BucketsPer != 0 {
		o.Log.Warn("the range of buckets cuts a shard: no other coordinator can watch the rest of it", "shard_size", shard.BucketsPer)
	}
	c := &Coordinator{o: o}
	instance := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, random()))
	var err error
	c.panel, err = panel.New(panel.Options{
		Members: o.Verifliers, PeerOfflineLimit: o.PeerOfflineLimit, Client: o.VeriflierClient,
		ShadowNeed: o.ShadowNeed, ShadowRegions: o.ShadowRegions,
		Instance: instance, Log: o.Log,
		Decided: func(a engine.Answer) { c.engine.Decide(time.Now(), a) },
		Looked:  func(l engine.Look) { c.engine.Looked(time.Now(), l) },
	})
	if err != nil {
		return nil, err
	}
	c.ownership = ownership.New(ownership.Options{
		Store: o.Store, Members: o.Store, Node: o.Node, Endpoint: o.Endpoint, Log: o.Log,
		First: shard.Of(o.BucketMin), Last: shard.Of(o.BucketMax),
		Gained: c.gained, Lost: c.lost, Settled: func() { c.intake.Settled() },
	})
	c.expiry = expiry.New(expiry.Options{
		Store: o.Store, Shards: c.ownership,
		Ballots: o.Retention, Outages: o.OutageRetention, Log: o.Log,
	})
	c.deletion = deletion.New(deletion.Options{Store: o.Store, Shards: c.ownership, Log: o.Log})
	c.ledger = ledger.New(ledger.Options{
		Store: o.Store, Shards: c.ownership, Log: o.Log,
		Committed: c.committed,
		Refused:   func(ch store.Change, row *store.Site) { c.engine.Refused(time.Now(), ch, row) },
	})
	c.engine = engine.New(engine.Options{
		Policy: o.Policy, Interval: o.IntervalOverride, Panel: c.panel, Ledger: c.ledger, Shards: c.ownership,
		Muted: o.Notify.Disabled, Random: random, Log: o.Log, Storm: storm.DefaultRule(),
		Dispatch: dispatch.Config{
			Lease: leaseTime, SessionTimeout: sessionTimeout, AvoidFor: avoidFor,
			MaxBatch: maxBatch, MaxQueue: maxQueue, PerHost: o.ChecksPerHost, Random: random,
		},
	}, time.Now())
	c.intake = intake.New(intake.Options{
		Store: o.Store, Engine: c.engine, Shards: c.ownership, First: o.BucketMin, Last: o.BucketMax,
		Loaded: func() { c.loaded.Store(true) }, Log: o.Log,
	})
	c.memos, err = checkpoint.New(checkpoint.Options{
		Engine: c.engine, Store: o.Store, Shards: c.ownership, Log: o.Log, Metrics: o.Metrics,
	})
	if err != nil {
		return nil, err
	}
	o.Notify.Log, o.Notify.Metrics, o.Notify.Shards = o.Log, o.Metrics, c.ownership
	if c.notify, err = notify.New(o.Notify, o.Store); err != nil {
		return nil, err
	}
	if err := c.register(o.Metrics); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return c, c.newServers(instance)
}

// Run works until ctx ends, or a part fails; then it stops in order.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.peers.Close()
	// Each stage outlives the one before it, so that what it decided is still written,
	// and what was written is still delivered.
	front, stopFront := context.WithCancel(ctx)
	defer stopFront()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	owning, stopOwning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOwning()
	// However long a stage takes, all is over in time: a call that hangs, a store
	// that is away and a WordPress.com that does not answer must not add up.
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(writeAfter, stopWriting)
		time.AfterFunc(ownAfter, stopOwning)
	})()

	var back errgroup.Group
	back.Go(func() error { return c.ownership.Run(owning) })
	var middle errgroup.Group
	middle.Go(func() error { return c.ledger.Run(writing) })
	middle.Go(func() error { return c.memos.Run(writing) })
	middle.Go(func() error { return c.notify.Run(writing) })

	first, firstCtx := errgroup.WithContext(front)
	c.serve(firstCtx, first)
	first.Go(func() error { return c.panel.Run(firstCtx) })
	first.Go(func() error { return c.clock(firstCtx) })
	first.Go(func() error { return c.intake.Run(firstCtx) })
	first.Go(func() error { return c.expiry.Run(firstCtx) })
	first.Go(func() error { return c.deletion.Run(firstCtx) })
	defer context.AfterFunc(firstCtx, c.stream.Stop)()

	err := first.Wait()
	stopWriting()
	if e := middle.Wait(); err == nil {
		err = e
	}
	stopOwning()
	if e := back.Wait(); err == nil {
		err = e
	}
	return err
}

// clock ticks the engine.
func (c *Coordinator) clock(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			c.engine.Tick(now)
		}
	}
}

// committed passes the ledger's good news on.
func (c *Coordinator) committed(ch store.Change, done store.Committed) {
	c.engine.Committed(time.Now(), ch, done)
	c.notify.Poke()
	if c.o.OnChange != nil {
		c.o.OnChange(StatusChange{
			Site: ch.SiteID, BlogID: ch.BlogID, URL: ch.URL, From: ch.From, To: ch.To,
			Start: ch.Start, At: ch.At, OutageID: done.OutageID, Cause: ch.Cause,
		})
	}
}

// random is unguessable, since check-out ids are proofs.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
