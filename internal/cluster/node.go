package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// role is the interface of every role. Run blocks, and drains in order when ctx ends; Ready
// returns why the role cannot work now, or nil.
type role interface {
	Run(ctx context.Context) error
	Ready() error
}

// Node is one role of a cluster. It can be stopped and restarted while the cluster runs. Its
// methods are safe for concurrent use.
type Node struct {
	name   string
	build  func() (role, error)
	failed func(error)

	mu     sync.Mutex
	closed bool
	cancel context.CancelFunc
	ended  chan struct{} // nil while the node does not run
	role   role          // the running role, or the one that ran last
}

// Name is the node's name, which is also its address on the cluster's network.
func (n *Node) Name() string { return n.name }

// Start starts the node, and does nothing if it runs already. It fails if an address is in
// use, or if the cluster has ended.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return fmt.Errorf("start %s: %w", n.name, ErrEnded)
	}
	if n.ended != nil {
		return nil
	}
	r, err := n.build()
	if err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	// Only Stop ends a node, so that a cluster stops in order.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	n.cancel, n.ended, n.role = cancel, ended, r
	go func() {
		defer close(ended)
		err := r.Run(ctx)
		if ctx.Err() == nil {
			// Nobody stopped it.
			n.failed(fmt.Errorf("%s ended: %w", n.name, errors.Join(err, errUnasked)))
		} else if err != nil && !errors.Is(err, context.Canceled) {
			n.failed(fmt.Errorf("stop %s: %w", n.name, err))
		}
	}()
	return nil
}

// Stop ends the node in order and returns when it has ended. It does nothing if the node
// does not run.
func (n *Node) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		return
	}
	n.cancel()
	<-n.ended
	n.ended = nil
}

// Running reports whether the node was started and not stopped.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended != nil
}

// Ready returns why the node cannot work now, or nil.
func (n *Node) Ready() error {
	n.mu.Lock()
	r, running := n.role, n.ended != nil
	n.mu.Unlock()
	if !running {
		return errors.New("it does not run")
	}
	return r.Ready()
}

// close stops the node for good.
func (n *Node) close() {
	n.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// ErrEnded is the error of starting a node after its cluster has ended.
var ErrEnded = errors.New("the cluster has ended")

var errUnasked = errors.New("without being asked")
