package checker

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// links are those of a checker that runs: one an address, however many names lead to
// it, since two sessions of one node end each other.
type links struct {
	checker *Checker
	group   *errgroup.Group
	// known is closed when our own health is.
	known <-chan struct{}

	mu     sync.Mutex
	served map[string]bool // by address, until the link has ended
}

// endpoint is where one coordinator is reached.
type endpoint struct {
	addr string
	// host is the name that led to addr, for which its certificate must be; "" when addr
	// has it itself.
	host string
	// failed, unless nil, is told when a session has ended that nobody wanted to end.
	failed chan<- struct{}
}

// serve starts the link to e, which ends with ctx or by leave. Without an error leave
// is nil when the address is served already.
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
		// Who does not know yet whether it is well is no use to anyone.
		wait(ctx, f.known, selfcheck.Within)
		l.run(ctx)
		_ = l.conn.Close() // no stream is open on it any more
		l.account.close()
		return nil
	})
	return leave, nil
}

// take claims an address, unless it is served already.
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

// dial makes the link to e. It connects nowhere.
func (c *Checker) dial(e endpoint) (*link, error) {
	o := c.client
	if o.TLS != nil && o.TLS.ServerName == "" && e.host != "" {
		o.TLS = o.TLS.Clone()
		o.TLS.ServerName = e.host
	}
	conn, err := rpc.Dial(e.addr, o)
	if err != nil {
		return nil, fmt.Errorf("checker %s: %w", c.node, err)
	}
	return &link{
		checker: c, endpoint: e, conn: conn,
		client:  coordinatorv1.NewAssignmentServiceClient(conn),
		account: c.ledger.account(),
		log:     c.log.With("coordinator", e.addr),
	}, nil
}
