//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// settleWithin is how long the crowd may need to see what was committed last.
const settleWithin = 2 * time.Minute

// crowd are those who watch.
type crowd struct {
	conns    []*grpc.ClientConn
	watchers []*watcher
	seen     atomic.Int64
	dropped  atomic.Int64
	again    atomic.Int64 // streams that began with a token
	end      context.CancelFunc
	group    sync.WaitGroup
}

// newCrowd has all watch, and waits until each has begun.
func newCrowd(ctx context.Context, p plan, address string) (*crowd, error) {
	ctx, end := context.WithCancel(ctx)
	c := &crowd{end: end}
	begun := make(chan error, p.watchers)
	for i := range p.watchers {
		if i%p.streams == 0 {
			conn, err := rpc.Dial(address, rpc.ClientOptions{})
			if err != nil {
				c.close()
				return nil, err
			}
			c.conns = append(c.conns, conn)
		}
		w := &watcher{crowd: c, conn: c.conns[i/p.streams], last: map[int64]int64{}, sample: i >= p.slow && i%50 == p.slow%50, pauseAt: -1}
		if i < p.slow {
			w.pauseAt = int64(p.rate) * 5
		}
		c.watchers = append(c.watchers, w)
		c.group.Go(func() { w.watch(ctx, begun) })
	}
	for range p.watchers {
		if err := <-begun; err != nil {
			c.close()
			return nil, fmt.Errorf("a watcher could not begin: %w", err)
		}
	}
	return c, nil
}

func (c *crowd) close() {
	c.end()
	c.group.Wait()
	for _, conn := range c.conns {
		_ = conn.Close() // nothing is left to lose
	}
}

// settle waits until everybody has seen everything, and returns what is missing.
func (c *crowd) settle(ctx context.Context, committed int64) (missing int64) {
	for end := time.Now().Add(settleWithin); ; time.Sleep(100 * time.Millisecond) {
		missing = 0
		for _, w := range c.watchers {
			missing += committed - w.count.Load()
		}
		if missing == 0 || time.Now().After(end) || ctx.Err() != nil {
			return missing
		}
	}
}

// report prints the result; it is an error when anything was lost, came twice or in another
// order.
func (c *crowd) report(w *writer, missing int64) error {
	var lags []time.Duration
	var wrong int64
	c.end()
	c.group.Wait()
	for _, one := range c.watchers {
		lags, wrong = append(lags, one.lags...), wrong+one.wrong
		if one.err != nil {
			return one.err
		}
	}
	slices.Sort(lags)
	at := func(q float64) time.Duration {
		return lags[min(len(lags)-1, int(q*float64(len(lags))))].Round(time.Millisecond)
	}
	if len(lags) == 0 {
		return errors.New("nothing was seen")
	}
	fmt.Printf("from commit to watcher, of those that were never paused: p50 %s, p99 %s, longest %s; slowest transaction %s\n",
		at(0.5), at(0.99), lags[len(lags)-1].Round(time.Millisecond), w.slowest.Round(time.Millisecond))
	fmt.Printf("%d committed, %d delivered; %d streams dropped as too slow, %d gone on with their token; lost %d, twice or out of order %d\n",
		w.committed, c.seen.Load(), c.dropped.Load(), c.again.Load(), missing, wrong)
	if missing != 0 || wrong != 0 {
		return errors.New("events were lost, came twice or in another order")
	}
	return nil
}

// watcher is one who watches.
type watcher struct {
	crowd *crowd
	conn  *grpc.ClientConn
	// last are the places of the newest events by site.
	last   map[int64]int64
	count  atomic.Int64
	wrong  int64
	sample bool
	lags   []time.Duration
	// pauseAt is after how many events it stops reading; negative means never.
	pauseAt int64
	err     error
}

// pauseFor is for how long a slow watcher reads nothing: longer than a coordinator waits.
const pauseFor = 45 * time.Second

// watch watches until ctx ends.
func (w *watcher) watch(ctx context.Context, begun chan<- error) {
	tell := sync.OnceFunc(func() { begun <- nil })
	token := ""
	for ctx.Err() == nil {
		err := w.once(ctx, &token, tell)
		switch {
		case ctx.Err() != nil:
		case token == "":
			begun <- err
			return
		case status.Code(err) == codes.ResourceExhausted:
			w.crowd.dropped.Add(1)
		case status.Code(err) != codes.Unavailable:
			w.err = err
			return
		}
		if ctx.Err() == nil {
			w.crowd.again.Add(1)
		}
	}
}

func (w *watcher) once(ctx context.Context, token *string, began func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true},
		monitorv1.ChangeService_WatchChanges_FullMethodName, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(&monitorv1.WatchChangesRequest{ResumeToken: *token}), stream.CloseSend()); err != nil {
		return err
	}
	for {
		var m raw
		if err := stream.RecvMsg(&m); err != nil {
			return err
		}
		next, n, err := w.take(m.bytes)
		m.free()
		if err != nil {
			return err
		}
		*token = next
		began()
		w.crowd.seen.Add(n)
		if count := w.count.Add(n); w.pauseAt >= 0 && count >= w.pauseAt {
			w.pauseAt = -1
			select {
			case <-time.After(pauseFor):
			case <-ctx.Done():
			}
		}
	}
}
