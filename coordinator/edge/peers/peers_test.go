package peers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// directory is a shard.Holder with a directory that the test sets.
type directory struct {
	*shardtest.Holder
	mu      sync.Mutex
	leases  []shard.Lease
	members []shard.Member
	err     error
}

func newDirectory(members ...shard.Member) *directory {
	d := &directory{Holder: shardtest.None(), members: members}
	d.OnRefresh(func(last shard.Directory) shard.Directory {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.err != nil {
			last.Err = d.err
			return last
		}
		return last.Read(d.leases, d.members, time.Now())
	})
	return d
}

func (d *directory) say(err error, leases ...shard.Lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leases, d.err = leases, err
}

func lease(s shard.ID, node string, left time.Duration) shard.Lease {
	return shard.Lease{Shard: s, Node: node, Endpoint: node, Term: 1, Expires: time.Now().Add(left)}
}

// of returns the owner of a bucket.
func of(t *testing.T, p *peers.Peers, b check.BucketID) (peers.Peer, bool) {
	owners := p.Owners(t.Context())
	return owners.Of(b)
}

func TestWhoOwnsABucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		d.say(nil, lease(0, "us", time.Minute), lease(1, "b", time.Minute), lease(2, "b", -time.Second),
			shard.Lease{Shard: 3, Endpoint: "b"}, shard.Lease{Shard: 4, Node: "c", Expires: time.Now().Add(time.Minute)},
			lease(200, "d", time.Minute))
		p := peers.New(peers.Options{Node: "us", Shards: d})
		owners := p.Owners(t.Context())
		for _, tt := range []struct {
			name   string
			bucket check.BucketID
			want   string
		}{
			{"our own", 0, ""}, {"a peer's", 16, "b"}, {"its last", 31, "b"}, {"one whose lease has ended", 32, ""},
			{"one that was given back", 48, ""}, {"one whose owner cannot be dialled", 64, ""}, {"one that nobody claimed", 511, ""},
		} {
			if peer, ok := owners.Of(tt.bucket); peer.Node != tt.want || ok != (tt.want != "") {
				t.Errorf("%s: %v %v, want %q", tt.name, peer, ok, tt.want)
			}
		}
		if got := p.Others(t.Context()); !slices.Equal(got, []peers.Peer{{Node: "b", Endpoint: "b"}}) {
			t.Errorf("others are %v", got)
		}
	})
}

func TestPeersAreThoseThatAreThereOrOwnSomething(t *testing.T) {
	t.Parallel()
	d := newDirectory(shard.Member{Node: "us", Endpoint: "us"}, shard.Member{Node: "idle", Endpoint: "idle:1"}, shard.Member{Node: "b", Endpoint: "old"})
	newer := lease(2, "b", time.Minute)
	newer.Endpoint = "new"
	d.say(nil, newer, lease(1, "b", time.Second), lease(3, "dead", -time.Hour), lease(4, "us", time.Minute), shard.Lease{Shard: 5, Endpoint: "left"})
	got := peers.New(peers.Options{Node: "us", Shards: d}).Others(t.Context())
	if want := []peers.Peer{{Node: "b", Endpoint: "new"}, {Node: "dead", Endpoint: "dead"}, {Node: "idle", Endpoint: "idle:1"}}; !slices.Equal(got, want) {
		t.Errorf("others are %v, want %v", got, want)
	}
}

func TestADirectoryIsBelievedForTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		p := peers.New(peers.Options{Node: "us", Shards: d})
		p.Owners(t.Context())
		time.Sleep(1999 * time.Millisecond)
		p.Owners(t.Context())
		if n := d.Refreshes(); n != 1 {
			t.Errorf("wanted anew %d times within two seconds", n)
		}
		time.Sleep(time.Millisecond)
		d.say(nil, lease(31, "b", time.Minute))
		if peer, ok := of(t, p, 511); !ok || peer.Node != "b" {
			t.Errorf("then the owner is %v", peer)
		}
		if n := d.Refreshes(); n != 2 {
			t.Errorf("wanted anew %d times", n)
		}
	})
}

func TestAPeerThatFailsMakesUsLookAgainAndIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		d.say(nil, lease(0, "b", time.Hour))
		p := peers.New(peers.Options{Node: "us", Shards: d})
		peer, _ := of(t, p, 0)
		ask := func(err error) error {
			return p.Ask(t.Context(), peers.Peer{Node: peer.Node, Endpoint: peer.Endpoint},
				func(context.Context, grpc.ClientConnInterface) error { return err })
		}
		time.Sleep(time.Second)
		began := time.Now()
		if err := ask(status.Error(codes.Unavailable, "away")); status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
		d.say(nil, lease(0, "c", time.Hour), lease(1, "b", time.Hour))
		if peer, _ := of(t, p, 0); peer.Node != "c" || d.Refreshes() != 2 {
			t.Errorf("owner is %v after %d readings", peer, d.Refreshes())
		}
		time.Sleep(time.Second)
		_ = ask(status.Error(codes.DeadlineExceeded, "slow"))
		if since := p.FailingSince("b"); !since.Equal(began) {
			t.Errorf("fails since %v, want %v", since, began)
		}
		_ = ask(status.Error(codes.NotFound, "an answer")) // it is there again
		if since := p.FailingSince("b"); !since.IsZero() {
			t.Errorf("fails since %v", since)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = p.Ask(ended, peer, func(ctx context.Context, _ grpc.ClientConnInterface) error { return ctx.Err() })
		if since := p.FailingSince("b"); !since.IsZero() {
			t.Error("who asks has gone away, and the peer is blamed")
		}
		p.Close()
	})
}

func TestAPeerThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		d.say(nil, lease(0, "b", time.Hour))
		p := peers.New(peers.Options{Node: "us", Shards: d})
		defer p.Close()
		peer, _ := of(t, p, 0)
		_ = p.Ask(t.Context(), peer, func(context.Context, grpc.ClientConnInterface) error { return status.Error(codes.Unavailable, "away") })
		time.Sleep(time.Second)
		p.Owners(t.Context())
		if p.FailingSince("b").IsZero() {
			t.Error("a peer that is there, and does not answer, is forgotten")
		}
		d.say(nil, lease(0, "c", time.Hour))
		time.Sleep(2 * time.Second)
		p.Owners(t.Context())
		if since := p.FailingSince("b"); !since.IsZero() {
			t.Errorf("one that nothing is left of fails since %v", since)
		}
	})
}

func TestWhileTheDirectoryIsAwayTheLeasesHoldUntilTheyEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDirectory()
		d.say(nil, lease(0, "b", 10*time.Second))
		p := peers.New(peers.Options{Node: "us", Shards: d})
		p.Owners(t.Context())
		away := errors.New("away")
		d.say(away)
		time.Sleep(5 * time.Second)
		if _, ok := of(t, p, 0); !ok {
			t.Error("the owner is forgotten")
		}
		if _, err := p.Shards(t.Context()); !errors.Is(err, away) {
			t.Errorf("who owns what is told as if it were known: %v", err)
		}
		time.Sleep(5 * time.Second)
		if _, ok := of(t, p, 0); ok {
			t.Error("the lease has ended")
		}
		if others := p.Others(t.Context()); len(others) != 1 {
			t.Errorf("others are %v", others)
		}
		d.say(nil, lease(0, "b", 10*time.Second))
		if shards, err := p.Shards(t.Context()); err != nil || len(shards) != shard.Count || shards[0].Node != "b" {
			t.Errorf("it is back, and says %v, %v", shards, err)
		}
	})
}

// stuck is a directory whose refresh never ends.
type stuck struct{ *shardtest.Holder }

func (stuck) Refresh() <-chan struct{} { return nil }

func TestNobodyWaitsForLongForADirectoryThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := stuck{shardtest.None()}
		var last shard.Directory
		d.Say(last.Read([]shard.Lease{lease(0, "b", time.Minute)}, nil, time.Now()))
		p := peers.New(peers.Options{Node: "us", Shards: d})
		time.Sleep(5 * time.Second)
		began := time.Now()
		if peer, ok := of(t, p, 0); !ok || peer.Node != "b" {
			t.Errorf("the owner is %v", peer)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited for %s", took)
		}
		if _, err := p.Shards(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("who owned what five seconds ago is told as if it were known: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		if p.Owners(ctx); time.Since(began) != 100*time.Millisecond {
			t.Errorf("waited for %s, longer than the caller", time.Since(began))
		}
	})
}

func TestAPeerThatHangsDelaysFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := peers.New(peers.Options{Node: "us", Shards: shardtest.None()})
		defer p.Close()
		b := peers.Peer{Node: "b", Endpoint: "b"}
		hangs, asked := true, 0
		ask := func(patience time.Duration) (time.Duration, error) {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := p.AskBriefly(ctx, b, func(ctx context.Context, _ grpc.ClientConnInterface) error {
				asked++
				if hangs {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			})
			return time.Since(began), err
		}
		for _, step := range []struct {
			name     string
			before   time.Duration
			patience time.Duration
			hangs    bool
			took     time.Duration
			asked    int
		}{
			{"an asker without patience says nothing about the peer", 0, 10 * time.Millisecond, true, 10 * time.Millisecond, 1},
			{"one is delayed", 0, 2 * time.Second, true, 2 * time.Second, 2},
			{"the next is not", 0, 2 * time.Second, true, 0, 2},
			{"nor are those of a second", 999 * time.Millisecond, 2 * time.Second, true, 0, 2},
			{"then one tries", time.Millisecond, 2 * time.Second, true, 2 * time.Second, 3},
			{"it rests again", 999 * time.Millisecond, 2 * time.Second, false, 0, 3},
			{"and is found well", time.Millisecond, 2 * time.Second, false, 0, 4},
			{"so all ask", 0, 2 * time.Second, false, 0, 5},
		} {
			time.Sleep(step.before)
			hangs = step.hangs
			took, err := ask(step.patience)
			if took != step.took || asked != step.asked {
				t.Errorf("%s: took %v, asked %d times, %v", step.name, took, asked, err)
			}
		}
		// While one caller tries the peer, the others do not wait.
		hangs = true
		_, _ = ask(2 * time.Second)
		time.Sleep(time.Second)
		asked = 0
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() { _, _ = ask(2 * time.Second) })
		}
		asking.Wait()
		if asked != 1 {
			t.Errorf("%d try at once", asked)
		}
	})
}

// counting is a network that counts the open connections.
type counting struct {
	*rpc.Memory
	open atomic.Int64
}

func (n *counting) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	c, err := n.Memory.DialContext(ctx, addr)
	if err != nil {
		return nil, err
	}
	n.open.Add(1)
	return &counted{Conn: c, n: n}, nil
}

type counted struct {
	net.Conn
	n    *counting
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.n.open.Add(-1) })
	return c.Conn.Close()
}

// speaker is a peer that reports whether a call was marked as forwarded.
type speaker struct {
	monitorv1.UnimplementedSiteServiceServer
	forwarded atomic.Int64
	ready     func() error // as rpc.ServerOptions has it
}

func (s *speaker) DeleteSite(ctx context.Context, _ *monitorv1.DeleteSiteRequest) (*monitorv1.DeleteSiteResponse, error) {
	if peers.Forwarded(ctx) {
		s.forwarded.Add(1)
	}
	return nil, fault.New(fault.NotFound, "there is none")
}

func serve(t *testing.T, n rpc.Network, addr string, s *speaker) (stop func()) {
	t.Helper()
	server, err := rpc.NewServer(rpc.ServerOptions{Name: addr, Access: rpc.Open(), Ready: s.ready}, func(r grpc.ServiceRegistrar) { monitorv1.RegisterSiteServiceServer(r, s) })
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func remove(p *peers.Peers, endpoint string) (left bool, err error) {
	var sent peers.Sent
	err = p.Ask(context.Background(), peers.Peer{Node: endpoint, Endpoint: endpoint}, deletion(&sent))
	return sent.Left(), err
}

func deletion(sent *peers.Sent) func(context.Context, grpc.ClientConnInterface) error {
	return func(ctx context.Context, conn grpc.ClientConnInterface) error {
		_, err := monitorv1.NewSiteServiceClient(conn).DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: 1}, sent.Option())
		return err
	}
}

func TestOneConnectionAnEndpointIsKeptWhileItIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &counting{Memory: rpc.NewMemory()}
		s := &speaker{}
		stopB, stopC := serve(t, n, "b", s), serve(t, n, "c", s)
		p := peers.New(peers.Options{Node: "us", Shards: shardtest.None(), Client: rpc.ClientOptions{Network: n}})
		for range 3 {
			for _, endpoint := range []string{"b", "c"} {
				if left, err := remove(p, endpoint); status.Code(err) != codes.NotFound || !left {
					t.Errorf("%v, left %v", err, left)
				}
			}
		}
		if n.open.Load() != 2 || s.forwarded.Load() != 6 {
			t.Errorf("%d connections, %d calls marked", n.open.Load(), s.forwarded.Load())
		}
		time.Sleep(9 * time.Minute)
		_, _ = remove(p, "b")
		time.Sleep(2 * time.Minute)
		_, _ = remove(p, "b")
		synctest.Wait()
		if n.open.Load() != 1 {
			t.Errorf("%d connections after c was not asked for long", n.open.Load())
		}
		p.Close()
		synctest.Wait()
		if n.open.Load() != 0 {
			t.Errorf("%d connections at the end", n.open.Load())
		}
		if _, err := remove(p, "b"); status.Code(err) != codes.Unavailable {
			t.Errorf("after the end: %v", err)
		}
		stopB()
		stopC()
	})
}

func TestACallThatNeverLeftIsKnown(t *testing.T) {
	t.Parallel()
	p := peers.New(peers.Options{Node: "us", Shards: shardtest.None(), Client: rpc.ClientOptions{Network: rpc.NewMemory()}})
	defer p.Close()
	if left, err := remove(p, "nobody"); !peers.Unanswered(err) || left {
		t.Errorf("%v, left %v", err, left)
	}
}

func TestAPeerThatIsNotReadyIsAskedOnlyWhatItCanDoAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		s := &speaker{ready: func() error {
			if ill.Load() {
				return errors.New("the database is away")
			}
			return nil
		}}
		n := rpc.NewMemory()
		stop := serve(t, n, "b", s)
		p := peers.New(peers.Options{Node: "us", Shards: shardtest.None(), Client: rpc.ClientOptions{Network: n}})
		for range 2 {
			for _, ready := range []bool{false, true} {
				ill.Store(!ready)
				time.Sleep(time.Second)
				var sent peers.Sent
				began := time.Now()
				err := p.AskReady(t.Context(), peers.Peer{Node: "b", Endpoint: "b"}, deletion(&sent))
				if peers.Unanswered(err) == ready || sent.Left() != ready || time.Since(began) > 0 {
					t.Errorf("ready %v: %v, left %v, after %s", ready, err, sent.Left(), time.Since(began))
				}
				if left, err := remove(p, "b"); peers.Unanswered(err) || !left {
					t.Errorf("ready %v, asked all the same: %v, left %v", ready, err, left)
				}
			}
		}
		p.Close()
		stop()
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	n := &counting{Memory: rpc.NewMemory()}
	p := peers.New(peers.Options{Node: "us", Shards: shardtest.None(), Client: rpc.ClientOptions{Network: n}})
	defer p.Close()
	// All are in use at once: each call runs inside the one before.
	var deeper func(i int) error
	deeper = func(i int) error {
		return p.Ask(t.Context(), peers.Peer{Node: "b", Endpoint: fmt.Sprint(i)}, func(context.Context, grpc.ClientConnInterface) error {
			if i == 1000 {
				return errors.New("no bound")
			}
			return deeper(i + 1)
		})
	}
	if err := deeper(0); !fault.Is(err, fault.Exhausted) {
		t.Error(err)
	}
	// None is in use now, so the oldest are closed.
	for i := range 100 {
		if err := p.Ask(t.Context(), peers.Peer{Node: "b", Endpoint: fmt.Sprint(1000 + i)},
			func(context.Context, grpc.ClientConnInterface) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}
