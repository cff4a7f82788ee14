//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channel/webhook"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/test/load/machine"
)

// plan is what to measure.
type plan struct {
	waiting, commits int
	gap, drains      time.Duration
	durable          bool
	profile          string
}

func main() {
	var p plan
	flag.IntVar(&p.waiting, "waiting", 1_000_000, "deliveries that wait")
	flag.IntVar(&p.commits, "commits", 500, "changes whose way to the receiver is measured")
	flag.DurationVar(&p.gap, "gap", 20*time.Millisecond, "the time between these")
	flag.DurationVar(&p.drains, "for", 30*time.Second, "how long what waits is delivered")
	flag.StringVar(&p.profile, "cpuprofile", "", "write a profile of the delivery of what waits here")
	flag.BoolVar(&p.durable, "flush", true, "have the database flush each transaction")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, p.drains+10*time.Minute)
	defer cancel()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "outbox:", err)
		os.Exit(1)
	}
}

// bench is what is measured.
type bench struct {
	plan
	db     *machine.Database
	store  *sqlstore.Store
	fences map[shard.ID]shard.Fence
	to     subscription.Subscription

	received atomic.Int64
	mu       sync.Mutex
	// arrived has when each key came.
	arrived map[string]time.Time
}

func run(ctx context.Context, p plan) (err error) {
	start := machine.StartDatabase
	if p.durable {
		start = machine.StartDurableDatabase
	}
	b := &bench{plan: p, fences: map[shard.ID]shard.Fence{}, arrived: map[string]time.Time{}}
	if b.db, err = start(ctx, 4*p.waiting); err != nil {
		return err
	}
	defer func() {
		if stopped := b.db.Stop(); err == nil {
			err = stopped
		}
	}()
	if b.store, err = sqlstore.Open(ctx, b.db.DSN(), sqlstore.Options{LegacyWrites: true, Migrate: true}); err != nil {
		return err
	}
	defer b.store.Close()
	receiver := httptest.NewServer(http.HandlerFunc(b.receive))
	defer receiver.Close()
	if err := b.setUp(ctx, receiver.URL); err != nil {
		return err
	}
	if err := b.latency(ctx); err != nil {
		return err
	}
	if err := b.fill(ctx); err != nil {
		return err
	}
	if err := b.looks(ctx); err != nil {
		return err
	}
	return b.drain(ctx)
}

func (b *bench) receive(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet { // WordPress.com, which is told of the changes too
		fmt.Fprint(w, `{"success":true}`)
		return
	}
	b.received.Add(1)
	b.mu.Lock()
	if b.arrived != nil {
		b.arrived[r.Header.Get("Idempotency-Key")] = time.Now()
	}
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// setUp claims all shards, and adds the subscription.
func (b *bench) setUp(ctx context.Context, url string) error {
	for id := range shard.ID(shard.Count) {
		l, err := b.store.ClaimShard(ctx, id, shard.Owner{Node: shardtest.Node, TTL: time.Hour}, time.Now())
		if err != nil {
			return err
		}
		b.fences[id] = l.Fence()
	}
	b.to = subscription.Subscription{
		ID: 1, Name: "receiver", Kind: subscription.Webhook, State: subscription.Active, Rate: -1, Revision: 1,
		Endpoint: subscription.Endpoint{URL: url}, Secrets: subscription.Secrets{Signing: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
	}
	body, secrets, err := b.to.Stored()
	if err != nil {
		return err
	}
	_, err = b.db.DB.ExecContext(ctx, `INSERT INTO jetmon_subscriptions (id, name, kind, state, state_why, state_ms, revision, body, secrets, created_ms, updated_ms)
	VALUES (1, ?, ?, ?, '', 0, 1, ?, ?, 0, 0)`, b.to.Name, b.to.Kind, b.to.State, body, secrets)
	return err
}

// deliver runs a Deliverer until the returned function is called.
func (b *bench) deliver() (d *notify.Deliverer, stop func() error, err error) {
	d, err = notify.New(notify.Options{
		URL: b.to.URL + "/wpcom/", Shards: shardtest.New(),
		Channels: func(s subscription.Subscription) (channel.Channel, error) {
			return webhook.New(s, post.Options{AllowPrivate: true})
		},
	}, b.store)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, func() error { cancel(); return <-ended }, nil
}

// looks measures what a look at all that waits costs.
func (b *bench) looks(ctx context.Context) error {
	var counts, dues []time.Duration
	for range 50 {
		began := time.Now()
		if _, err := b.store.CountDeliveries(ctx, allShards()); err != nil {
			return err
		}
		counts = append(counts, time.Since(began))
		took, err := b.look(ctx)
		if err != nil {
			return err
		}
		dues = append(dues, took)
	}
	fmt.Printf("with %d waiting: to count them takes %v (p99 %v), to read the next 32 of all shards %v (p99 %v)\n",
		b.waiting, percentile(counts, 50), percentile(counts, 99), percentile(dues, 50), percentile(dues, 99))
	return nil
}

// drain measures how fast what waits is delivered, and in how much memory.
func (b *bench) drain(ctx context.Context) error {
	b.mu.Lock()
	b.arrived = nil
	b.mu.Unlock()
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	_, stop, err := b.deliver()
	if err != nil {
		return err
	}
	before, began := b.received.Load(), time.Now()
	used, err := b.cpu()
	if err != nil {
		return err
	}
	var most uint64
	for time.Since(began) < b.drains && int(b.received.Load()-before) < b.waiting && ctx.Err() == nil {
		time.Sleep(500 * time.Millisecond)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	n, took := b.received.Load()-before, time.Since(began)
	if err := stop(); err != nil {
		return err
	}
	after, err := b.cpu()
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d in %v: %.0f/s; at most %d MiB of heap in use, receiver included\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), most>>20)
	fmt.Printf("CPU of a delivery: %v here (receiver included), %v in MariaDB\n", (after[0]-used[0])/time.Duration(max(1, n)), (after[1]-used[1])/time.Duration(max(1, n)))
	return b.check(ctx, b.received.Load()-before)
}

// cpu returns what this program and the database have used.
func (b *bench) cpu() (used [2]time.Duration, err error) {
	pid, err := b.db.PID()
	if err != nil {
		return used, err
	}
	for i, p := range []int{os.Getpid(), pid} {
		if used[i], err = machine.CPUOf(p); err != nil {
			return used, err
		}
	}
	return used, nil
}

func allShards() (all []shard.ID) {
	for id := range shard.ID(shard.Count) {
		all = append(all, id)
	}
	return all
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)].Round(10 * time.Microsecond)
}
