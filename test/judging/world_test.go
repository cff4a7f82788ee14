package judging

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
)

// world holds the judging parts of a coordinator among fakes, in virtual time.
type world struct {
	t       *testing.T
	plan    plan
	network *rpc.Memory
	book    *book
	peers   []*peer

	mu     sync.Mutex
	random *rand.Rand
	engine *engine.Engine
	// deaf holds the checkers that report a failed self-check.
	deaf map[string]bool
}

// newWorld makes a world whose first verifliers tell the given lies.
func newWorld(t *testing.T, seed uint64, p plan, lies ...lie) *world {
	w := &world{
		t: t, plan: p, network: rpc.NewMemory(), random: rand.New(rand.NewPCG(seed, 100)), deaf: map[string]bool{},
		book: newBook(p, rand.New(rand.NewPCG(seed, 101))),
	}
	for i := range p.phases {
		w.peers = append(w.peers, &peer{w: w, number: i, random: rand.New(rand.NewPCG(seed, uint64(i)))})
		if i < len(lies) {
			w.peers[i].lie = lies[i]
		}
	}
	return w
}

func (w *world) isDown(site int, at time.Time) bool { return within(w.plan.down[site], at) }

func (w *world) chance(of int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(of)
}

func (w *world) bits() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Uint64()
}

// run plays the plan to its end.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var peers sync.WaitGroup
	for _, p := range w.peers {
		peers.Go(func() { p.live(ctx, w.t) })
	}
	for _, until := range append(append([]time.Time{}, w.plan.restarts...), w.plan.end) {
		w.life(until)
	}
	cancel()
	peers.Wait()
}

// life runs one process of the coordinator until its death.
func (w *world) life(until time.Time) {
	ctx, die := context.WithDeadline(context.Background(), until)
	defer die()
	var parts sync.WaitGroup
	defer parts.Wait()
	instance := fmt.Sprintf("%x", w.bits())
	var members []panel.Member
	for i := range w.peers {
		members = append(members, panel.Member{Name: peerName(i), Region: fmt.Sprint("r", i%3), Address: peerName(i)})
	}
	votes, err := panel.New(panel.Options{
		Members: members, Client: rpc.ClientOptions{Network: w.network}, Instance: instance, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Error(err)
		return
	}
	log := committer.New(committer.Options{
		Store: w.book, Log: slog.New(slog.DiscardHandler), Flush: time.Millisecond,
		Shards: living{shardtest.New(), ctx},
	})
	e := engine.New(engine.Options{
		Policy: lifecycle.DefaultPolicy(), Outliers: outlier.DefaultRule(), Panel: votes, Committer: log, Random: w.bits, Log: slog.New(slog.DiscardHandler),
		Dispatch: dispatch.Config{
			Lease: time.Minute, SessionTimeout: 15 * time.Second, AvoidFor: 5 * time.Second, MaxBatch: 10, MaxQueue: 1000, Random: w.bits,
		},
	}, time.Now())
	w.mu.Lock()
	w.engine = e
	w.mu.Unlock()
	parts.Go(func() { _ = votes.Run(ctx, answers{e}) })
	parts.Go(func() { _ = log.Run(ctx, answers{e}) })
	for _, row := range w.book.rows() {
		e.Put(time.Now(), row)
	}
	for _, node := range []string{"checker-a", "checker-b"}[:cmp.Or(w.plan.checkers, 2)] {
		c := &checker{w: w, e: e, node: node, ctx: ctx, parts: &parts}
		var err error
		if c.id, err = e.Join(time.Now(), dispatch.Hello{Node: node, Instance: instance, MaxInFlight: 100}, nil, c); err != nil {
			w.t.Error(err)
		}
		if err := e.Grant(time.Now(), c.id, 100); err != nil {
			w.t.Error(err)
		}
		parts.Go(c.live)
	}
	for pause.For(ctx, time.Second) {
		e.Tick(time.Now())
	}
}

// answers passes the answers of the panel and the committer to the engine.
type answers struct{ e *engine.Engine }

func (a answers) Decided(answer engine.Answer) { a.e.Decide(time.Now(), answer) }

func (a answers) Looked(l engine.Look) { a.e.Looked(time.Now(), l) }

func (a answers) Committed(c record.Change, done record.Committed) {
	a.e.Committed(time.Now(), c, done)
}

func (a answers) Refused(c record.Change, row *record.Site) { a.e.Refused(time.Now(), c, row) }

// living holds all shards, and is certain of them until its process dies.
type living struct {
	*shardtest.Holder
	ctx context.Context
}

func (l living) Fence(s shard.ID) (shard.Fence, bool) {
	fence, _ := l.Holder.Fence(s)
	return fence, l.ctx.Err() == nil
}

// checker is a fake checker: it sees the truth unless the plan makes it mistaken.
type checker struct {
	w     *world
	e     *engine.Engine
	node  string
	id    dispatch.SessionID
	ctx   context.Context
	parts *sync.WaitGroup

	mu   sync.Mutex
	open map[dispatch.Ref]bool
}

// End fails the test unless the coordinator's process has ended.
func (c *checker) End(reason string) {
	if c.ctx.Err() == nil {
		c.w.t.Errorf("the session of %s ended: %s", c.node, reason)
	}
}

// Revoke does nothing.
func (c *checker) Revoke([]dispatch.Ref) {}

// Assign runs the checks of a batch, which takes a while.
func (c *checker) Assign(b dispatch.Batch, targets []check.Target, _ uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[dispatch.Ref]bool{}
	}
	c.open[b.Ref] = true
	targets = slices.Clone(targets)
	takes := time.Duration(50+c.w.chance(4000)) * time.Millisecond
	asked := time.Now()
	for _, t := range targets {
		site, _ := siteOf(t.URL)
		takes = max(takes, min(c.w.plan.lag(site, asked), t.Timeout))
	}
	c.parts.Go(func() {
		if !pause.For(c.ctx, takes) {
			return
		}
		var results []engine.Result
		for i, k := range b.Checks {
			results = append(results, engine.Result{
				Key: dispatch.Key{Site: k.Site, Sequence: k.Sequence}, At: time.Now(), Observation: c.see(targets[i], asked),
			})
		}
		if _, err := c.e.CheckIn(time.Now(), c.id, b.Ref, results); err != nil {
			c.w.t.Errorf("check-in: %v", err)
		}
		if c.w.chance(5) == 0 {
			// Report twice, as after a broken stream; the second answer does not matter.
			_, _ = c.e.CheckIn(time.Now(), c.id, b.Ref, results)
		}
		c.mu.Lock()
		delete(c.open, b.Ref)
		c.mu.Unlock()
		if err := c.e.Grant(time.Now(), c.id, len(results)); err != nil {
			c.w.t.Errorf("grant: %v", err)
		}
	})
	return true
}

func (c *checker) see(t check.Target, asked time.Time) check.Observation {
	site, _ := siteOf(t.URL)
	if c.w.plan.lag(site, asked) > t.Timeout {
		return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureTimeout}
	}
	if now := time.Now(); c.w.isDown(site, now) || within(c.w.plan.mistaken[site], now) {
		return check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}
	}
	return check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
}

// live sends heartbeats.
func (c *checker) live() {
	for pause.For(c.ctx, 5*time.Second) {
		c.mu.Lock()
		var open []dispatch.Ref
		for ref := range c.open {
			open = append(open, ref)
		}
		c.mu.Unlock()
		c.w.mu.Lock()
		well := !c.w.deaf[c.node]
		c.w.mu.Unlock()
		if _, err := c.e.Heartbeat(time.Now(), c.id, open, check.SelfCheck{Anchors: 1, Healthy: well}); err != nil {
			c.w.t.Errorf("heartbeat: %v", err)
		}
	}
}
