package checker

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// links are the links of a running checker: one per address, even if several names resolve
// to it, since two sessions of one node end each other.
type links struct {
	checker *Checker
	group   *errgroup.Group
	// known is closed when our own health is known.
	known <-chan struct{}

	mu     sync.Mutex
	served map[string]bool // by address, until the link has ended
}

// endpoint is the address of one coordinator.
type endpoint struct {
	addr string
	// host is the name that resolved to addr and that its certificate must be for; "" when
	// addr contains the name itself.
	host string
	// failed, unless nil, gets a signal when a session ends unexpectedly.
	failed chan<- struct{}
}

// serve starts the link to e, which ends with ctx or by calling leave. When the address
// has a link already, leave and err are nil.
func (f *links) serve(ctx context.Context, e endpoint) (leave context.CancelFunc, err error) {
	if taken, err := f.take(e.addr); !taken {
		return nil, err
	}
	l, err := f.checker.dial(e)
	if err != nil {
		f.release(e.addr)
		return nil, err
	}
	ctx, leave = context.WithCancel(ctx)
	f.group.Go(func() error {
		defer leave()
		defer f.release(e.addr)
		// A checker that does not know yet whether it is healthy is useless.
		if f.known != nil {
			pause.Or(ctx, selfcheck.Within, f.known)
		}
		l.run(ctx)
		_ = l.conn.Close() // it has no open stream any more
		l.quota.close()
		return nil
	})
	return leave, nil
}

// take claims an address, unless it has a link already.
func (f *links) take(addr string) (taken bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.served[addr]:
		return false, nil
	case len(f.served) >= maxCoordinators:
		return false, fmt.Errorf("at most %d coordinators are served", maxCoordinators)
	}
	f.served[addr] = true
	return true, nil
}

func (f *links) release(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.served, addr)
}

// dial makes the link to e. It does not connect yet.
func (c *Checker) dial(e endpoint) (*link, error) {
	o := c.client
	o.ServerName = e.host
	conn, err := rpc.Dial(e.addr, o)
	if err != nil {
		return nil, fmt.Errorf("checker %s: %w", c.node, err)
	}
	return &link{
		checker: c, endpoint: e, conn: conn,
		client: coordinatorv1.NewAssignmentServiceClient(conn),
		quota:  c.inFlight.newQuota(),
		log:    c.log.With("coordinator", e.addr),
	}, nil
}
